import math

import pytest

from shared.pace import (
    BULK_SHARE,
    CALM,
    FEW,
    LONGEST,
    SLICE,
    SMALLER_FOR,
    WINDOW,
    WINDOW_SHARE,
    Pace,
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
def pace(clock: Clock) -> Pace:
    return Pace(32, clock)


@pytest.mark.parametrize(
    ("bulk_item", "calm", "beside_users"),
    [
        (0.001, 32, 20),
        (0.0099, 32, 2),
        (LONGEST / 10.001, 10, 1),
        (10.0, FEW, 1),
    ],
    ids=["fast", "slower", "ten-in-the-longest", "slower-than-the-longest"],
)
def test_bulk_batches_are_as_long_as_those_of_users(
    bulk_item: float, calm: int, beside_users: int, pace: Pace, clock: Clock
) -> None:
    assert pace.size(urgent=False) == pace.size(urgent=True) == 32
    pace.ran(False, 10, 10 * bulk_item)
    pace.ran(True, 1, 0.020001)
    assert pace.size(urgent=False) == calm
    pace.urgent()
    assert pace.size(urgent=False) == beside_users
    clock.now += CALM - 0.01
    assert pace.size(urgent=False) == beside_users
    clock.now += 0.02
    assert pace.size(urgent=False) == calm
    assert pace.size(urgent=True) == 32


@pytest.mark.parametrize(("users", "items"), [(1e-6, 10), (60.0, 50)], ids=["short", "long"])
def test_bulk_batches_beside_users_have_bounds(users: float, items: int) -> None:
    pace = Pace(1000)
    pace.urgent()
    pace.ran(False, 1, 0.00099999)
    pace.ran(True, 1, users)
    assert pace.size(urgent=False) == items
    assert (SLICE[0], SLICE[1]) == (0.01, 0.05)


def test_sizes_follow_the_model(pace: Pace) -> None:
    pace.ran(False, 1, 1.0)
    for _ in range(40):
        pace.ran(False, 10, LONGEST / 2)
    assert pace.size(urgent=False) in {19, 20}


def test_load_of_a_batch_where_items_differ(pace: Pace, clock: Clock) -> None:
    assert pace.bounds() == (32, 32, math.inf)
    pace.ran(False, 4, 0.1, load=1000)
    few, most, load = pace.bounds()
    assert (few, most, load) == (FEW, 32, pytest.approx(LONGEST * 10_000))
    pace.ran(True, 1, 0.02)
    pace.urgent()
    few, most, load = pace.bounds()
    assert (few, most, load) == (1, 32, pytest.approx(200))
    pace.overran(6)
    clock.now += CALM + 1
    assert pace.bounds()[:2] == (3, 3)


def batches_till_bulks_turn(pace: Pace, seconds: float) -> int:
    count = 0
    while not pace.is_bulks_turn():
        pace.ran(True, 1, seconds)
        count += 1
    return count


@pytest.mark.parametrize(
    ("bulk_item", "users", "batches"),
    [(0.001, 0.02, 4), (0.04, 0.02, 8), (0.04, 1.0, 4), (1.0, 0.25, 16)],
    ids=["a-slice", "an-item-longer-than-it", "slow-users", "slow-bulk"],
)
def test_bulk_has_its_share_of_time(
    bulk_item: float, users: float, batches: int, pace: Pace
) -> None:
    pace.ran(False, 1, bulk_item)
    assert batches_till_bulks_turn(pace, users) == batches
    pace.ran(False, 1, bulk_item)
    assert not pace.is_bulks_turn()
    assert BULK_SHARE == 0.25


def test_half_after_memory_ran_out_for_a_while(pace: Pace, clock: Clock) -> None:
    pace.overran(32)
    assert (pace.size(urgent=True), pace.size(urgent=False)) == (16, 16)
    for items, size in ((16, 8), (3, 1), (1, 1)):
        pace.overran(items)
        assert pace.size(urgent=True) == size
    clock.now += SMALLER_FOR + 1
    assert pace.size(urgent=True) == 32


def test_no_wait_when_idle_or_with_enough(pace: Pace) -> None:
    assert pace.window(0, 1) == pace.window(1, 0) == 0
    pace.ran(False, 1, 1.0)
    assert pace.window(0, 1) == pace.window(1, 0) == 0
    pace.ran(False, 4, 1.0)
    assert pace.window(0, 4) == pace.window(2, 2) == 0
    pace.ran(True, 4, 1.0)
    assert pace.window(4, 9) == 0
    pace.rest()
    assert pace.window(0, 1) == 0


@pytest.mark.parametrize(
    ("seconds", "window"), [(1.0, WINDOW), (0.01, 0.01 * WINDOW_SHARE)], ids=["slow", "fast"]
)
def test_short_wait_for_those_of_the_last_batch(seconds: float, window: float, pace: Pace) -> None:
    pace.ran(False, 4, seconds)
    assert pace.window(1, 2) == pytest.approx(window)


def test_users_of_the_last_batch_are_waited_for_before_bulk_unless_its_turn_is_come(
    pace: Pace,
) -> None:
    pace.ran(False, 4, 0.04)
    pace.ran(True, 4, 0.02)
    assert pace.window(0, 9) == pace.window(3, 9) == pytest.approx(0.02 * WINDOW_SHARE)
    batches_till_bulks_turn(pace, 0.02)
    assert pace.window(0, 9) == 0
    assert pace.window(0, 0) > 0
