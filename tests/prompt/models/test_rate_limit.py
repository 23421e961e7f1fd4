import random
import time
from itertools import accumulate

import pytest

from backends.prompt.models.rate_limit import MinuteLimit, RequestLimits


class Clock:
    """A clock whose time passes when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def begin_times(limit: float, costs: list[float]) -> list[float]:
    """Return when requests begin that all come at once, and wait as they are told."""
    clock = Clock()
    minute = MinuteLimit(limit, clock)
    return [clock.now - 100 + minute.reserve(cost) for cost in costs]


def most_in_a_minute(times: list[float], costs: list[float]) -> float:
    """Return the largest sum of costs that begin within any 60 seconds."""
    sums = [0.0, *accumulate(costs)]
    most = 0.0
    for first, begin in enumerate(times):
        last = max(i for i, t in enumerate(times) if t < begin + 60 - 1e-6)
        most = max(most, sums[last + 1] - sums[first])
    return most


@pytest.mark.parametrize(
    ("limit", "count", "seconds"),
    [
        (0, 1000, 0),  # no limit
        (1, 3, 120),  # the 3rd one begins after two minutes
        (10, 11, 60),
        (60, 61, 60),
        # 10 at once (a second's worth), then 591 a minute: the 601st after 590 / 591 minutes more
        (600, 601, 60),
    ],
    ids=lambda value: str(value),
)
def test_requests_of_no_minute_are_above_the_limit(limit: int, count: int, seconds: float) -> None:
    times = begin_times(limit, [1.0] * count)
    assert times[-1] == pytest.approx(seconds, abs=1e-6)
    assert times == sorted(times), "whoever comes first goes first"
    if limit:
        assert most_in_a_minute(times, [1.0] * count) <= limit


@pytest.mark.parametrize("largest", [50, 400], ids=["small questions", "large questions"])
def test_tokens_of_no_minute_are_above_the_limit(largest: int) -> None:
    chance = random.Random(7)
    costs = [float(chance.randint(1, largest)) for _ in range(400)]
    times = begin_times(1000, costs)
    assert most_in_a_minute(times, costs) <= 1000
    slowest = sum(costs) / (1000 - largest) * 60
    assert times[-1] <= slowest, "nor is much left unused"


def test_what_was_not_used_is_a_seconds_worth() -> None:
    clock = Clock()
    minute = MinuteLimit(600, clock)
    clock.now += 3600
    waits = [minute.reserve(1) for _ in range(12)]
    assert waits[:10] == [0.0] * 10
    assert waits[10] == pytest.approx(60 / 591)


def test_cost_that_was_reserved_and_not_used_is_given_back() -> None:
    clock = Clock()
    minute = MinuteLimit(60, clock)
    assert minute.reserve(1) == 0
    minute.correct(-1)
    assert minute.reserve(1) == 0
    minute.correct(+2)
    assert minute.reserve(1) == pytest.approx(3)


def test_pause_holds_up_all_requests() -> None:
    limits = RequestLimits()
    waits = []
    for _ in range(5):  # on a busy machine one may take long
        began = time.monotonic()
        limits.wait(1)
        waits.append(time.monotonic() - began)
    assert min(waits) < 0.05
    began = time.monotonic()
    limits.pause(0.2)
    limits.pause(0.01)  # a shorter one does not end it
    limits.wait(1)
    assert time.monotonic() - began >= 0.2


def test_threads_wait_as_they_are_told() -> None:
    waits: list[float] = []
    limits = RequestLimits(requests=60, sleep=waits.append)
    limits.wait(1)
    assert waits == [], "a second's worth may come at once"
    limits.wait(1)
    assert len(waits) == 1
    assert 0 < waits[0] <= 1
