import time
import tracemalloc

import numpy as np
import pytest

from shared.evaluation.metrics.bootstrap import MAX_UNITS, RESAMPLES, Bootstrap, percentile_interval


def test_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    # 60 of 200: the standard error is sqrt(0.3 × 0.7 / 200) = 0.0324; 1.96 of them are 0.0635.
    hits = np.arange(200) < 60
    low, high = Bootstrap(200).interval(np.arange(200), hits, np.ones(200))
    assert low == pytest.approx(0.3 - 0.0635, abs=0.01)
    assert high == pytest.approx(0.3 + 0.0635, abs=0.01)


def test_resamples_are_sums_over_drawn_cases() -> None:
    bootstrap = Bootstrap(4)
    cases, values = np.array([0, 0, 2, 3]), np.array([1.0, 2.0, -5.0, 0.5])
    drawn = list(bootstrap.draws(np.arange(4)))
    assert len(drawn) == RESAMPLES
    assert {int(weights.sum()) for weights in drawn} == {4}
    expected = [3 * one[0] - 5.0 * one[2] + 0.5 * one[3] for one in drawn]
    assert bootstrap.totals(cases, values) == pytest.approx(expected)
    weights = bootstrap.weights(cases)
    assert weights.shape == (RESAMPLES, 4)
    assert weights @ values == pytest.approx(expected)
    assert (bootstrap.weights([3], 2) == weights[:2, 3:]).all()


@pytest.mark.parametrize("cases", [MAX_UNITS - 1, MAX_UNITS + 1, 7 * MAX_UNITS + 3])
def test_groups_of_cases_leave_the_interval_as_it_is(cases: int) -> None:
    values = np.random.default_rng(1).random(cases) < 0.2
    low, high = Bootstrap(cases).interval(np.arange(cases), values, np.ones(cases))
    error = np.sqrt(0.2 * 0.8 / cases)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=error / 4)


def test_equal_seeds_give_equal_intervals() -> None:
    numbers = np.arange(50)
    first, second = (Bootstrap(50).interval(numbers, numbers, numbers + 1) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("cases", "numerators", "denominators", "expected"),
    [
        ([], [], [], None),
        ([0, 1], [0, 0], [0, 0], None),
        ([0, 1], [1, 1], [2, 2], (0.5, 0.5)),
        ([1], [3], [4], (0.75, 0.75)),
    ],
    ids=["no entries", "nothing to divide by", "always the same", "one of two cases"],
)
def test_edges(
    cases: list[int],
    numerators: list[int],
    denominators: list[int],
    expected: tuple[float, float] | None,
) -> None:
    assert Bootstrap(2).interval(cases, numerators, denominators) == expected


def test_no_cases_have_no_interval() -> None:
    bootstrap = Bootstrap(0)
    assert bootstrap.interval([], [], []) is None
    assert list(bootstrap.draws([])) == []
    assert percentile_interval(np.empty(0)) is None


def test_many_cases_cost_little() -> None:
    cases = 1_000_000
    tracemalloc.start()
    start = time.process_time()
    bootstrap = Bootstrap(cases)
    values = np.ones(cases)
    bootstrap.interval(np.arange(cases), values, values)
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000  # 5 MB of weights, 8 MB a step, some arrays of a number a case
    assert seconds < 5
