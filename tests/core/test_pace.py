import pytest

from shared.pace import CALM, LEAST, SLICE, SMALLER_FOR, WINDOW, WINDOW_SHARE, Pace


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


def test_time_is_limited_while_users_wait(pace: Pace, clock: Clock) -> None:
    assert (pace.size(), pace.budget()) == (32, float("inf"))
    pace.urgent()
    assert (pace.size(), pace.budget()) == (32, SLICE)
    clock.now += CALM - 0.01
    assert pace.budget() == SLICE
    clock.now += 0.02
    assert pace.budget() == float("inf")


def test_costs_are_those_of_the_last_batches(pace: Pace) -> None:
    assert pace.cost(urgent=True) == pace.cost(urgent=False) == LEAST
    pace.ran(0, 2, 1.0)
    assert (pace.cost(urgent=True), pace.cost(urgent=False)) == (0.5, 0.5)
    pace.ran(2, 2, 1.0)
    assert pace.cost(urgent=True) == 0.25
    assert 0.25 < pace.cost(urgent=False) < 0.5
    for _ in range(30):
        pace.ran(4, 0, 4e-6)
    assert pace.cost(urgent=True) == LEAST


def test_half_after_memory_ran_out_for_a_while(pace: Pace, clock: Clock) -> None:
    pace.overran(32)
    assert pace.size() == 16
    pace.overran(16)
    pace.overran(1)
    assert pace.size() == 1
    clock.now += SMALLER_FOR
    assert pace.size() == 32


def test_no_wait_when_idle_or_after_one_item_or_with_enough(pace: Pace) -> None:
    assert pace.window(1) == 0
    pace.ran(1, 0, 1.0)
    assert pace.window(1) == 0
    pace.ran(0, 4, 1.0)
    assert pace.window(4) == 0
    pace.rest()
    assert pace.window(1) == 0


@pytest.mark.parametrize(
    ("seconds", "window"), [(1.0, WINDOW), (0.01, 0.01 * WINDOW_SHARE)], ids=["slow", "fast"]
)
def test_short_wait_for_those_of_the_last_batch(seconds: float, window: float, pace: Pace) -> None:
    pace.ran(1, 3, seconds)
    assert pace.window(3) == pytest.approx(window)
