"""How large a model's batches are and how long one waits to fill, from the batches before."""

import math
import time
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

# While users are active, bulk work gets this much model time on top of theirs, so it never stalls.
BULK_TIME_SHARE = 0.25
# Least and most that a bulk batch may take then: as long as the users' own batches, in between.
BULK_SLICE_SECONDS = (0.01, 0.05)
# After an interactive item keep bulk batches short for this long: the same user may ask again.
INTERACTIVE_COOLDOWN_SECONDS = 5.0
# A bulk batch never takes longer: a user may come at any time, and waits for it to end.
MAX_BULK_BATCH_SECONDS = 0.5
# But it has this many items however slow they are, since a call may cost more than its items;
# nothing is known of the first batch, which has no more.
MIN_BULK_ITEMS = 4
# Where a user was active so lately, the next may come: a slow model's bulk batch takes no longer
# than so many items of users, even if it is a single item.
USER_SEEN_SECONDS = 600.0
MAX_BULK_BATCH_USER_ITEMS = 1.5
# So much work of a request goes before that of others because a user waits; with more, such as an
# hour's recording, that user waits anyway, and the rest takes turns with other requests.
MAX_PRIORITY_SECONDS = 1.0
# A batch waits for those who were in the last one: so long at most, and no longer than this share
# of what the last batch took, so that waiting never costs more than a fuller batch saves.
MAX_FILL_WAIT_SECONDS = 0.005
MAX_FILL_WAIT_SHARE = 0.1
# After an out-of-memory error batches stay small for this long.
OUT_OF_MEMORY_COOLDOWN_SECONDS = 60.0
# Weight of the newest batch in moving means.
MEAN_WEIGHT = 0.3


class BatchLimits(NamedTuple):
    """A batch has `min_items` of any size; with more, their sizes may sum to `max_load`."""

    min_items: int
    max_items: int
    max_load: float


class BatchPolicy:
    """Chooses batch sizes and fill times for one model from its recent run times.

    Bulk batches are capped at 0.5 s, or at 10-50 ms while users are active; those of slow models
    have a few items all the same, or one where users were active lately. After an out-of-memory
    error the batch size is halved for one minute. `max_items` is the backend's own limit.
    """

    def __init__(self, max_items: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_items = max_items
        self._clock = clock
        self._bulk_item_seconds = self._bulk_load_seconds = 0.0
        self._interactive_batch_seconds = self._interactive_load_seconds = 0.0
        self._interactive_item_seconds = 0.0
        self._bulk_seconds_owed = 0.0
        self._last = (False, 0, 0.0)  # interactive, items, seconds
        self._last_user: Hashable = None
        self._last_interactive = self._interactive_before = float("-inf")
        self._fitting_items = max_items
        self._small_until = float("-inf")

    def record_batch(
        self, interactive: bool, items: int, seconds: float, load: float = 0.0
    ) -> None:
        """Learn from a batch that ran; `load` is the sum of its items' sizes, if they differ."""
        self._last = interactive, items, seconds
        per_item, per_load = seconds / items, seconds / (load or items)
        if interactive:
            self._interactive_batch_seconds = _moving_mean(self._interactive_batch_seconds, seconds)
            self._interactive_item_seconds = _moving_mean(self._interactive_item_seconds, per_item)
            self._interactive_load_seconds = _moving_mean(self._interactive_load_seconds, per_load)
            # A slow batch earns no more than one bulk batch, or bulk work would run many at once.
            earning = min(seconds, self._bulk_seconds_due())
            self._bulk_seconds_owed += BULK_TIME_SHARE * earning
        else:
            self._bulk_item_seconds = _moving_mean(self._bulk_item_seconds, per_item)
            self._bulk_load_seconds = _moving_mean(self._bulk_load_seconds, per_load)
            self._bulk_seconds_owed = 0.0

    def record_out_of_memory(self, items: int) -> None:
        """Halve the batch size for a while: memory ran out with so many items."""
        self._fitting_items = max(1, items // 2)
        self._small_until = self._clock() + OUT_OF_MEMORY_COOLDOWN_SECONDS

    def record_interactive_item(self, owner: Hashable = None) -> None:
        """Note that a user is active, whose request is the owner of the item."""
        if owner is None or owner != self._last_user:
            self._interactive_before = self._last_interactive
        self._last_user, self._last_interactive = owner, self._clock()

    def record_long_request(self, owner: Hashable) -> None:
        """Note that a request takes too long to go first: it makes no other wait for its user."""
        if owner is not None and owner == self._last_user:
            self._last_user, self._last_interactive = None, self._interactive_before

    def record_idle(self) -> None:
        """Note that the queue is empty: the next item comes alone and does not wait."""
        self._last = (False, 0, 0.0)

    def max_items(self, interactive: bool) -> int:
        """Return how many items the next batch may have; fewer for bulk work beside users."""
        fitting = self._fitting_items if self._clock() < self._small_until else self._max_items
        if interactive:
            return fitting
        seconds, min_items = self._bulk_budget()
        known = self._bulk_item_seconds
        return min(fitting, max(min_items, int(seconds / known) if known else 0))

    def bulk_limits(self) -> BatchLimits:
        """Return the limits of a bulk batch whose items differ in size."""
        fitting = self.max_items(interactive=True)
        seconds, min_items = self._bulk_budget()
        few = min(min_items, fitting)
        if not self._bulk_load_seconds:
            return BatchLimits(few, few, math.inf)
        return BatchLimits(few, fitting, seconds / self._bulk_load_seconds)

    def goes_first(self, queued: Sequence[float], size: float) -> bool:
        """Return whether an item for which a user waits goes before bulk work.

        `queued` are the sizes of those of the same request that do already.
        """
        known = self._interactive_load_seconds or self._bulk_load_seconds
        if not queued or not known:
            return len(queued) < MIN_BULK_ITEMS
        return (sum(queued) + size) * known <= MAX_PRIORITY_SECONDS

    def is_bulk_due(self) -> bool:
        """Return whether interactive work has had its share, and a bulk batch goes first."""
        return self._bulk_seconds_owed >= self._bulk_seconds_due()

    def fill_wait_seconds(self, interactive: int, bulk: int) -> float:
        """Return how long to wait before taking a batch of the queued items; 0 if not at all.

        Clients that got an answer from the last batch and ask again make the next one full. There
        is no wait after a batch of one, when idle, or when a bulk batch is due.
        """
        was_interactive, items, seconds = self._last
        queued = interactive if was_interactive else interactive + bulk
        is_full = queued >= min(items, self.max_items(was_interactive))
        if is_full or (was_interactive and bulk and self.is_bulk_due()):
            return 0.0
        return min(MAX_FILL_WAIT_SECONDS, MAX_FILL_WAIT_SHARE * seconds)

    def _bulk_budget(self) -> tuple[float, int]:
        """Return the seconds that the next bulk batch may take, and its least number of items."""
        since_user = self._clock() - self._last_interactive
        if since_user < INTERACTIVE_COOLDOWN_SECONDS:
            return self._bulk_slice_seconds(), 1
        if since_user < USER_SEEN_SECONDS:
            as_users_do = MAX_BULK_BATCH_USER_ITEMS * self._interactive_item_seconds
            return max(MAX_BULK_BATCH_SECONDS, as_users_do), 1
        return MAX_BULK_BATCH_SECONDS, MIN_BULK_ITEMS

    def _bulk_seconds_due(self) -> float:
        """Return how long a bulk batch will take beside users."""
        return max(self._bulk_slice_seconds(), self._bulk_item_seconds)

    def _bulk_slice_seconds(self) -> float:
        least, most = BULK_SLICE_SECONDS
        return min(most, max(least, self._interactive_batch_seconds))


def _moving_mean(known: float, new: float) -> float:
    return known + MEAN_WEIGHT * (new - known) if known else new
