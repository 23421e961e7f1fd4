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
SMALLER_FOR = 60.0
"""Seconds for which batches stay small after memory ran out."""
WEIGHT = 0.3
"""Of the newest batch in the mean."""


class Pace:
    """The pace of one model. `most` is the largest batch it may get."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._per_item = 0.0
        self._last = (0, 0.0)
        self._urgent_at = float("-inf")
        self._fits = most
        self._small_until = float("-inf")

    def ran(self, items: int, seconds: float) -> None:
        """A batch ran through."""
        each = seconds / items
        self._per_item += WEIGHT * (each - self._per_item) if self._per_item else each
        self._last = items, seconds

    def overran(self, items: int) -> None:
        """Memory ran out with so many: half of them, for a while."""
        self._fits = max(1, items // 2)
        self._small_until = self._clock() + SMALLER_FOR

    def urgent(self) -> None:
        """A user waits before the editor."""
        self._urgent_at = self._clock()

    def size(self) -> int:
        """How many items the next batch may have."""
        now = self._clock()
        most = self._fits if now < self._small_until else self._most
        if self._per_item and now - self._urgent_at < CALM:
            return max(1, min(most, int(SLICE / self._per_item)))
        return most

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
