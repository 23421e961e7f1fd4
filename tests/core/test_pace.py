import pytest

from shared.pace import CALM, SLICE, SMALLER_FOR, WINDOW, WINDOW_SHARE, Pace


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


def test_batches_are_full_sized_before_anything_is_known(pace: Pace) -> None:
    pace.urgent()
    assert pace.size() == 32


@pytest.mark.parametrize(
    ("per_item", "size"),
    [(SLICE / 100, 32), (SLICE / 10, 10), (SLICE / 3, 3), (SLICE * 2, 1)],
    ids=["fast", "ten", "three", "slower-than-a-slice"],
)
def test_batches_take_a_slice_while_users_wait(
    per_item: float, size: int, pace: Pace, clock: Clock
) -> None:
    pace.ran(4, 4 * per_item * 0.999)
    assert pace.size() == 32
    pace.urgent()
    assert pace.size() == size
    clock.now += CALM - 0.01
    assert pace.size() == size
    clock.now += 0.02
    assert pace.size() == 32


def test_pace_follows_the_model(pace: Pace) -> None:
    pace.ran(1, SLICE)
    for _ in range(20):
        pace.ran(10, SLICE)
    pace.urgent()
    assert pace.size() in {9, 10}


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
    pace.ran(1, 1.0)
    assert pace.window(1) == 0
    pace.ran(4, 1.0)
    assert pace.window(4) == 0
    pace.rest()
    assert pace.window(1) == 0


@pytest.mark.parametrize(
    ("seconds", "window"), [(1.0, WINDOW), (0.01, 0.01 * WINDOW_SHARE)], ids=["slow", "fast"]
)
def test_short_wait_for_those_of_the_last_batch(seconds: float, window: float, pace: Pace) -> None:
    pace.ran(4, seconds)
    assert pace.window(3) == pytest.approx(window)
