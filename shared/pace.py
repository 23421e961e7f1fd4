"""How large a model's batches are, and how long one waits to fill: learned from those that ran."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

BULK_SHARE = 0.25
"""Of the time that users' batches take, so much more goes to a bulk request's: it goes on."""
SLICE = (0.01, 0.05)
"""Seconds that a bulk batch may take beside users: as long as theirs, within these bounds."""
CALM = 5.0
"""Seconds after a user's item in which the next one is expected."""
LONGEST = 0.5
"""Seconds that a bulk batch may take at any time: somebody may come to the editor."""
FEW = 4
"""Items that it may have however slow they are: a call may cost much and an item little."""
WINDOW = 0.005
"""Seconds that a batch waits at the most for those who were in the last one."""
WINDOW_SHARE = 0.1
"""Nor longer than this part of what the last batch took."""
SMALLER_FOR = 60.0
"""Seconds for which batches stay small after memory ran out."""
WEIGHT = 0.3
"""Of the newest batch in the mean."""


class Bounds(NamedTuple):
    """A batch has `few` items whatever they weigh, and `most` at the most; `load` is what all
    weigh together.
    """

    few: int
    most: int
    load: float


class Pace:
    """The pace of one model. `most` is the largest batch it may get."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._bulk_item = self._bulk_unit = 0.0
        self._users_batch = 0.0
        self._owed = 0.0
        self._last = (False, 0, 0.0)
        self._urgent_at = float("-inf")
        self._fits = most
        self._small_until = float("-inf")

    def ran(self, urgent: bool, items: int, seconds: float, load: float = 0.0) -> None:
        """A batch ran through, of items that users wait for or of others; of so much load, if
        that is not the same for each item.
        """
        self._last = urgent, items, seconds
        if urgent:
            self._users_batch = _mean(self._users_batch, seconds)
            self._owed += BULK_SHARE * min(seconds, self._due())  # a slow one earns no more
        else:
            self._bulk_item = _mean(self._bulk_item, seconds / items)
            self._bulk_unit = _mean(self._bulk_unit, seconds / (load or items))
            self._owed = 0.0

    def overran(self, items: int) -> None:
        """Memory ran out with so many: half of them, for a while."""
        self._fits = max(1, items // 2)
        self._small_until = self._clock() + SMALLER_FOR

    def urgent(self) -> None:
        """A user waits before the editor."""
        self._urgent_at = self._clock()

    def size(self, urgent: bool) -> int:
        """How many items the next batch may have; of a bulk request's, fewer beside users."""
        fits = self._fits if self._clock() < self._small_until else self._most
        if urgent or not self._bulk_item:
            return fits
        seconds, few = self._bulk_time()
        return min(fits, max(few, int(seconds / self._bulk_item)))

    def bounds(self) -> Bounds:
        """The same of a bulk request's where items differ: how much they may weigh together."""
        fits = self.size(urgent=True)
        if not self._bulk_unit:
            return Bounds(fits, fits, math.inf)
        seconds, few = self._bulk_time()
        return Bounds(min(few, fits), fits, seconds / self._bulk_unit)

    def is_bulks_turn(self) -> bool:
        """Whether users had their time, and a bulk batch goes before them."""
        return self._owed >= self._due()

    def window(self, urgent: int, bulk: int) -> float:
        """Seconds to wait before a batch of those that wait: none after a batch of one, or idle.

        Whoever got an answer from the last batch and asks again makes the next one full, and
        goes before a bulk request.
        """
        users, items, seconds = self._last
        waiting = urgent if users else urgent + bulk
        if waiting >= min(items, self.size(users)) or (users and bulk and self.is_bulks_turn()):
            return 0.0
        return min(WINDOW, WINDOW_SHARE * seconds)

    def rest(self) -> None:
        """There was nothing to do: the next item comes alone, and does not wait."""
        self._last = (False, 0, 0.0)

    def _bulk_time(self) -> tuple[float, int]:
        """Seconds that the next bulk batch may take, and items that it may have anyway."""
        if self._clock() - self._urgent_at < CALM:
            return self._slice(), 1
        return LONGEST, FEW

    def _due(self) -> float:
        """Seconds that a bulk batch will take beside users."""
        return max(self._slice(), self._bulk_item)

    def _slice(self) -> float:
        least, most = SLICE
        return min(most, max(least, self._users_batch))


def _mean(known: float, new: float) -> float:
    return known + WEIGHT * (new - known) if known else new
