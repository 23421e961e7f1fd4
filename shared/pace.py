"""How large a model's batches are, and how long one waits to fill: learned from those that ran."""

import time
from collections.abc import Callable

SLICE = 0.05
"""Seconds that a batch may take while users wait before the editor."""
CALM = 5.0
"""Seconds after the last of them in which the next one is expected."""
WINDOW = 0.005
"""Seconds that a batch waits at the most for those who were in the last one."""
WINDOW_SHARE = 0.1
"""Nor longer than this part of what the last batch took."""
LEAST = 0.001
"""Seconds that an item counts for at the least."""
SMALLER_FOR = 60.0
"""Seconds for which batches stay small after memory ran out."""
WEIGHT = 0.3
"""Of the newest batch in the mean."""


class Pace:
    """The pace of one model. `most` is the largest batch it may get."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._each = {True: 0.0, False: 0.0}
        self._last = (0, 0.0)
        self._urgent_at = float("-inf")
        self._fits = most
        self._small_until = float("-inf")

    def ran(self, urgent: int, bulk: int, seconds: float) -> None:
        """A batch ran through, of so many items that users wait for and others."""
        each = seconds / (urgent + bulk)
        for lane, items in ((True, urgent), (False, bulk)):
            if items:
                known = self._each[lane]
                self._each[lane] += WEIGHT * (each - known) if known else each
        self._last = urgent + bulk, seconds

    def overran(self, items: int) -> None:
        """Memory ran out with so many: half of them, for a while."""
        self._fits = max(1, items // 2)
        self._small_until = self._clock() + SMALLER_FOR

    def urgent(self) -> None:
        """A user waits before the editor."""
        self._urgent_at = self._clock()

    def cost(self, urgent: bool) -> float:
        """Seconds that an item takes, by what such items took lately, or else the others."""
        return max(LEAST, self._each[urgent] or self._each[not urgent])

    def size(self) -> int:
        """How many items the next batch may have."""
        return self._fits if self._clock() < self._small_until else self._most

    def budget(self) -> float:
        """Seconds that the next batch may take."""
        return SLICE if self._clock() - self._urgent_at < CALM else float("inf")

    def window(self, waiting: int) -> float:
        """Seconds to wait before a batch of those that wait: none after a batch of one, or idle.

        Whoever got an answer from the last batch and asks again makes the next one full.
        """
        items, seconds = self._last
        if waiting >= min(items, self.size()):
            return 0.0
        return min(WINDOW, WINDOW_SHARE * seconds)

    def rest(self) -> None:
        """There was nothing to do: the next item comes alone, and does not wait."""
        self._last = (0, 0.0)
