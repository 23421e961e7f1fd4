import math

import pytest

from shared.pipeline.scheduling.batch_policy import (
    BULK_SLICE_SECONDS,
    BULK_TIME_SHARE,
    INTERACTIVE_COOLDOWN_SECONDS,
    MAX_BULK_BATCH_SECONDS,
    MAX_BULK_BATCH_USER_ITEMS,
    MAX_FILL_WAIT_SECONDS,
    MAX_FILL_WAIT_SHARE,
    MAX_PRIORITY_SECONDS,
    MIN_BULK_ITEMS,
    OUT_OF_MEMORY_COOLDOWN_SECONDS,
    USER_SEEN_SECONDS,
    BatchPolicy,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> BatchPolicy:
    return BatchPolicy(32, clock)


@pytest.mark.parametrize(
    ("bulk_item", "calm", "beside_users", "later"),
    [
        (0.001, 32, 20, 32),
        (0.0099, 32, 2, 32),
        (MAX_BULK_BATCH_SECONDS / 10.001, 10, 1, 10),
        (10.0, MIN_BULK_ITEMS, 1, 1),
    ],
    ids=["fast", "slower", "ten-in-the-longest", "slower-than-the-longest"],
)
def test_bulk_batches_are_as_long_as_those_of_users(
    bulk_item: float, calm: int, beside_users: int, later: int, pace: BatchPolicy, clock: Clock
) -> None:
    assert pace.max_items(interactive=False) == MIN_BULK_ITEMS, "nothing is known yet"
    assert pace.max_items(interactive=True) == 32
    pace.record_batch(False, 10, 10 * bulk_item)
    pace.record_batch(True, 1, 0.020001)
    assert pace.max_items(interactive=False) == calm
    pace.record_interactive_item()
    assert pace.max_items(interactive=False) == beside_users
    clock.now += INTERACTIVE_COOLDOWN_SECONDS - 0.01
    assert pace.max_items(interactive=False) == beside_users
    clock.now += 0.02
    assert pace.max_items(interactive=False) == later
    clock.now += USER_SEEN_SECONDS
    assert pace.max_items(interactive=False) == calm
    assert pace.max_items(interactive=True) == 32


@pytest.mark.parametrize(("users", "items"), [(1e-6, 10), (60.0, 50)], ids=["short", "long"])
def test_bulk_batches_beside_users_have_bounds(users: float, items: int) -> None:
    pace = BatchPolicy(1000)
    pace.record_interactive_item()
    pace.record_batch(False, 1, 0.00099999)
    pace.record_batch(True, 1, users)
    assert pace.max_items(interactive=False) == items
    assert (BULK_SLICE_SECONDS[0], BULK_SLICE_SECONDS[1]) == (0.01, 0.05)


@pytest.mark.parametrize(
    ("users", "items"),
    [((1, 0.2), 1), ((1, 0.8), 2), ((1, 4.0), 10), ((4, 16.0), 10), ((1, 100.0), 32)],
    ids=["quick", "slow", "slower", "slower-together", "slowest"],
)
def test_bulk_batches_of_slow_models_are_as_long_as_users_items_for_a_while(
    users: tuple[int, float], items: int, pace: BatchPolicy, clock: Clock
) -> None:
    pace.record_batch(False, 4, 4 * 0.599)
    pace.record_interactive_item("user")
    pace.record_batch(True, *users)
    clock.now += INTERACTIVE_COOLDOWN_SECONDS + 0.01
    assert MAX_BULK_BATCH_USER_ITEMS == 1.5
    assert pace.max_items(interactive=False) == items
    assert pace.bulk_limits().min_items == 1


def test_first_items_of_a_request_go_first(pace: BatchPolicy) -> None:
    """Four while nothing is known, then a second of them, but one at least."""
    assert [pace.goes_first([1.0] * queued, 1.0) for queued in (0, 3, 4)] == [True, True, False]
    pace.record_batch(False, 2, 0.5, load=2.0)
    assert [pace.goes_first([1.0] * queued, 1.0) for queued in (3, 4)] == [True, False]
    pace.record_batch(True, 2, 3.0, load=10.0)
    assert MAX_PRIORITY_SECONDS == 1
    assert [pace.goes_first(queued, 2.0) for queued in ([1.0], [1.0, 1.0])] == [True, False]
    assert pace.goes_first([], 100.0)


def test_long_request_makes_nothing_wait_for_its_user(pace: BatchPolicy, clock: Clock) -> None:
    pace.record_batch(False, 4, 4.0)
    pace.record_interactive_item("opens an hour")
    assert pace.max_items(interactive=False) == 1
    pace.record_long_request("opens an hour")
    assert pace.max_items(interactive=False) == MIN_BULK_ITEMS
    pace.record_interactive_item("draws a region")
    pace.record_interactive_item("opens an hour")
    pace.record_interactive_item("opens an hour")
    for _ in range(2):
        pace.record_long_request("opens an hour")
    assert pace.max_items(interactive=False) == 1, "the other is there still"


def test_sizes_follow_the_model(pace: BatchPolicy) -> None:
    pace.record_batch(False, 1, 1.0)
    for _ in range(40):
        pace.record_batch(False, 10, MAX_BULK_BATCH_SECONDS / 2)
    assert pace.max_items(interactive=False) in {19, 20}


def test_load_of_a_batch_where_items_differ(pace: BatchPolicy, clock: Clock) -> None:
    assert pace.bulk_limits() == (MIN_BULK_ITEMS, MIN_BULK_ITEMS, math.inf)
    pace.record_batch(False, 4, 0.1, load=1000)
    few, most, load = pace.bulk_limits()
    assert (few, most, load) == (MIN_BULK_ITEMS, 32, pytest.approx(MAX_BULK_BATCH_SECONDS * 10_000))
    pace.record_batch(True, 1, 0.02)
    pace.record_interactive_item()
    few, most, load = pace.bulk_limits()
    assert (few, most, load) == (1, 32, pytest.approx(200))
    pace.record_out_of_memory(6)
    assert pace.bulk_limits()[:2] == (1, 3)
    clock.now += USER_SEEN_SECONDS + 1
    pace.record_out_of_memory(6)
    assert pace.bulk_limits()[:2] == (3, 3)


def batches_till_bulks_turn(pace: BatchPolicy, seconds: float) -> int:
    count = 0
    while not pace.is_bulk_due():
        pace.record_batch(True, 1, seconds)
        count += 1
    return count


@pytest.mark.parametrize(
    ("bulk_item", "users", "batches"),
    [(0.001, 0.02, 4), (0.04, 0.02, 8), (0.04, 1.0, 4), (1.0, 0.25, 16)],
    ids=["a-slice", "an-item-longer-than-it", "slow-users", "slow-bulk"],
)
def test_bulk_has_its_share_of_time(
    bulk_item: float, users: float, batches: int, pace: BatchPolicy
) -> None:
    pace.record_batch(False, 1, bulk_item)
    assert batches_till_bulks_turn(pace, users) == batches
    pace.record_batch(False, 1, bulk_item)
    assert not pace.is_bulk_due()
    assert BULK_TIME_SHARE == 0.25


def test_half_after_memory_ran_out_for_a_while(pace: BatchPolicy, clock: Clock) -> None:
    pace.record_batch(False, 32, 0.1)
    pace.record_out_of_memory(32)
    assert (pace.max_items(interactive=True), pace.max_items(interactive=False)) == (16, 16)
    for items, size in ((16, 8), (3, 1), (1, 1)):
        pace.record_out_of_memory(items)
        assert pace.max_items(interactive=True) == size
    clock.now += OUT_OF_MEMORY_COOLDOWN_SECONDS + 1
    assert pace.max_items(interactive=True) == 32


def test_no_wait_when_idle_or_with_enough(pace: BatchPolicy) -> None:
    assert pace.fill_wait_seconds(0, 1) == pace.fill_wait_seconds(1, 0) == 0
    pace.record_batch(False, 1, 1.0)
    assert pace.fill_wait_seconds(0, 1) == pace.fill_wait_seconds(1, 0) == 0
    pace.record_batch(False, 4, 1.0)
    assert pace.fill_wait_seconds(0, 4) == pace.fill_wait_seconds(2, 2) == 0
    pace.record_batch(True, 4, 1.0)
    assert pace.fill_wait_seconds(4, 9) == 0
    pace.record_idle()
    assert pace.fill_wait_seconds(0, 1) == 0


@pytest.mark.parametrize(
    ("seconds", "window"),
    [(1.0, MAX_FILL_WAIT_SECONDS), (0.01, 0.01 * MAX_FILL_WAIT_SHARE)],
    ids=["slow", "fast"],
)
def test_short_wait_for_those_of_the_last_batch(
    seconds: float, window: float, pace: BatchPolicy
) -> None:
    pace.record_batch(False, 4, seconds)
    assert pace.fill_wait_seconds(1, 2) == pytest.approx(window)


def test_users_of_the_last_batch_are_waited_for_before_bulk_unless_its_turn_is_come(
    pace: BatchPolicy,
) -> None:
    pace.record_batch(False, 4, 0.04)
    pace.record_batch(True, 4, 0.02)
    assert (
        pace.fill_wait_seconds(0, 9)
        == pace.fill_wait_seconds(3, 9)
        == pytest.approx(0.02 * MAX_FILL_WAIT_SHARE)
    )
    batches_till_bulks_turn(pace, 0.02)
    assert pace.fill_wait_seconds(0, 9) == 0
    assert pace.fill_wait_seconds(0, 0) > 0
