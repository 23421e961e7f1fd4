"""Krippendorff's alpha, on the data matrices of textbooks."""

import random

import pytest

from shared.evaluation.annotators.krippendorff import (
    Alpha,
    IntervalAlpha,
    NominalAlpha,
    SampledAlpha,
)

# One row for each annotator, one column for each task; a dot is a missing answer.
# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C.
FOUR_OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
TWO_OBSERVERS = """
1 1 2 2 4 3 3 3 5 4 4 1
2 1 2 2 2 3 3 3 5 4 4 4
"""
# The example of encyclopedias: three coders, fifteen tasks.
THREE_CODERS = """
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4
"""


def summed(alpha: Alpha, matrix: str) -> Alpha:
    """Add the columns of a matrix."""
    rows = [line.split() for line in matrix.split("\n") if line]
    for column in zip(*rows, strict=True):
        alpha.add([int(value) for value in column if value != "."])
    return alpha


@pytest.mark.parametrize(
    ("matrix", "nominal", "interval"),
    [
        pytest.param(FOUR_OBSERVERS, 0.743, 0.849, id="four observers"),
        pytest.param(THREE_CODERS, 0.691, 0.811, id="three coders"),
    ],
)
def test_textbooks(matrix: str, nominal: float, interval: float) -> None:
    assert summed(NominalAlpha(), matrix).value() == pytest.approx(nominal, abs=5e-4)
    assert summed(IntervalAlpha(), matrix).value() == pytest.approx(interval, abs=5e-4)
    sampled = SampledAlpha(lambda one, other: float(one != other))
    assert summed(sampled, matrix).value() == pytest.approx(nominal, abs=5e-4)


def test_two_observers_by_hand() -> None:
    # 24 answers: 4 × 1, 6 × 2, 6 × 3, 6 × 4, 2 × 5. Three of twelve tasks disagree: observed
    # 3 · 2 / 24 = 1/4. Expected 1 - (4·3 + 6·5 + 6·5 + 6·5 + 2·1) / (24·23) = 448/552.
    alpha = summed(NominalAlpha(), TWO_OBSERVERS)
    assert (alpha.tasks, alpha.answers) == (12, 24)
    assert alpha.value() == pytest.approx(1 - (1 / 4) / (448 / 552), abs=1e-12)


@pytest.mark.parametrize("alpha", [NominalAlpha(), IntervalAlpha()], ids=["nominal", "interval"])
def test_cases_without_a_figure(alpha: Alpha) -> None:
    assert alpha.value() is None
    alpha.add([1])
    assert alpha.value() is None, "one answer to a task says nothing of agreement"
    alpha.add([2, 2])
    assert alpha.value() is None, "all answers are equal: nothing is known of chance"
    alpha.add([3, 3])
    assert alpha.value() == 1


def test_many_answers_are_estimated_from_a_sample() -> None:
    numbers = random.Random(1)
    exact, sampled = NominalAlpha(), SampledAlpha(lambda one, other: float(one != other))
    for _ in range(2000):
        truth = numbers.randrange(4)
        answers = [truth if numbers.random() < 0.8 else numbers.randrange(4) for _ in range(3)]
        exact.add(answers)
        sampled.add(answers)
    expected, estimate = exact.value(), sampled.value()
    assert expected is not None
    assert estimate == pytest.approx(expected, abs=0.03)
