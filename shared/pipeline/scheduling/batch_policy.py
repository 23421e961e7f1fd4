"""How large a model's batches are, and how long one waits to fill: learned from those that ran."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

# Of the time that users' batches take, so much more goes to a bulk request's: it goes on.
BULK_TIME_SHARE = 0.25
# Seconds that a bulk batch may take beside users: as long as theirs, within these bounds.
BULK_SLICE_SECONDS = (0.01, 0.05)
# Seconds after a user's item in which the next one is expected.
INTERACTIVE_COOLDOWN_SECONDS = 5.0
# Seconds that a bulk batch may take at any time: somebody may come to the editor.
MAX_BULK_BATCH_SECONDS = 0.5
# Items that it may have however slow they are: a call may cost much and an item little.
MIN_BULK_ITEMS = 4
# Seconds that a batch waits at the most for those who were in the last one.
MAX_FILL_WAIT_SECONDS = 0.005
# Nor longer than this part of what the last batch took.
MAX_FILL_WAIT_SHARE = 0.1
# Seconds for which batches stay small after memory ran out.
OUT_OF_MEMORY_COOLDOWN_SECONDS = 60.0
# Of the newest batch in the mean.
MEAN_WEIGHT = 0.3


class BatchLimits(NamedTuple):
    """A batch has `few` items whatever they weigh, and `most` at the most; `load` is what all
    weigh together.
    """

    min_items: int
    max_items: int
    max_load: float


class BatchPolicy:
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

    def record_batch(
        self, interactive: bool, items: int, seconds: float, load: float = 0.0
    ) -> None:
        """A batch ran through, of items that users wait for or of others; of so much load, if
        that is not the same for each item.
        """
        self._last = interactive, items, seconds
        if interactive:
            self._users_batch = _moving_mean(self._users_batch, seconds)
            self._owed += BULK_TIME_SHARE * min(
                seconds, self._bulk_seconds_due()
            )  # a slow one earns no more
        else:
            self._bulk_item = _moving_mean(self._bulk_item, seconds / items)
            self._bulk_unit = _moving_mean(self._bulk_unit, seconds / (load or items))
            self._owed = 0.0

    def record_out_of_memory(self, items: int) -> None:
        """Memory ran out with so many: half of them, for a while."""
        self._fits = max(1, items // 2)
        self._small_until = self._clock() + OUT_OF_MEMORY_COOLDOWN_SECONDS

    def record_interactive_item(self) -> None:
        """A user waits before the editor."""
        self._urgent_at = self._clock()

    def max_items(self, interactive: bool) -> int:
        """How many items the next batch may have; of a bulk request's, fewer beside users."""
        fits = self._fits if self._clock() < self._small_until else self._most
        if interactive or not self._bulk_item:
            return fits
        seconds, few = self._bulk_budget()
        return min(fits, max(few, int(seconds / self._bulk_item)))

    def bulk_limits(self) -> BatchLimits:
        """The same of a bulk request's where items differ: how much they may weigh together."""
        fits = self.max_items(interactive=True)
        if not self._bulk_unit:
            return BatchLimits(fits, fits, math.inf)
        seconds, few = self._bulk_budget()
        return BatchLimits(min(few, fits), fits, seconds / self._bulk_unit)

    def is_bulk_due(self) -> bool:
        """Whether users had their time, and a bulk batch goes before them."""
        return self._owed >= self._bulk_seconds_due()

    def fill_wait_seconds(self, interactive: int, bulk: int) -> float:
        """Seconds to wait before a batch of those that wait: none after a batch of one, or idle.

        Whoever got an answer from the last batch and asks again makes the next one full, and
        goes before a bulk request.
        """
        users, items, seconds = self._last
        waiting = interactive if users else interactive + bulk
        if waiting >= min(items, self.max_items(users)) or (users and bulk and self.is_bulk_due()):
            return 0.0
        return min(MAX_FILL_WAIT_SECONDS, MAX_FILL_WAIT_SHARE * seconds)

    def record_idle(self) -> None:
        """There was nothing to do: the next item comes alone, and does not wait."""
        self._last = (False, 0, 0.0)

    def _bulk_budget(self) -> tuple[float, int]:
        """Seconds that the next bulk batch may take, and items that it may have anyway."""
        if self._clock() - self._urgent_at < INTERACTIVE_COOLDOWN_SECONDS:
            return self._bulk_slice_seconds(), 1
        return MAX_BULK_BATCH_SECONDS, MIN_BULK_ITEMS

    def _bulk_seconds_due(self) -> float:
        """Seconds that a bulk batch will take beside users."""
        return max(self._bulk_slice_seconds(), self._bulk_item)

    def _bulk_slice_seconds(self) -> float:
        least, most = BULK_SLICE_SECONDS
        return min(most, max(least, self._users_batch))


def _moving_mean(known: float, new: float) -> float:
    return known + MEAN_WEIGHT * (new - known) if known else new
