"""Krippendorff's alpha: agreement beyond chance, 1 if perfect, 0 as by chance, below if worse.

alpha = 1 - observed / expected disagreement: the mean distance of two answers to one task, where
each task weighs by the number of its answers, and that of any two answers to whatever task
(K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011). Tasks with one answer do not
count. Three ways to sum it, each in memory that does not grow with the tasks.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

# Answers from which the expected disagreement of a distance function is estimated.
SAMPLED_ANSWERS = 128


class Alpha(ABC):
    """Sums the disagreement of tasks as they come."""

    def __init__(self) -> None:
        self.tasks = self.answers = 0
        self._observed = 0.0

    def add(self, answers: Sequence[Any]) -> None:
        """Add the answers to one task; fewer than two do not count."""
        if len(answers) < 2:
            return
        self.tasks += 1
        self.answers += len(answers)
        pairs = combinations(answers, 2)
        self._observed += sum(2 * self._distance(*pair) for pair in pairs) / (len(answers) - 1)
        self._collect(answers)

    def value(self) -> float | None:
        """Return alpha; None without two answers to a task, or if all answers are equal."""
        expected = self._expected() if self.answers else 0.0
        return 1 - self._observed / self.answers / expected if expected > 0 else None

    @abstractmethod
    def _distance(self, one: Any, other: Any) -> float:
        """Return the distance of two answers."""

    @abstractmethod
    def _collect(self, answers: Sequence[Any]) -> None:
        """Keep what the expected disagreement needs."""

    @abstractmethod
    def _expected(self) -> float:
        """Return the mean distance of two different answers out of all."""


class NominalAlpha(Alpha):
    """Of classes: the distance is 0 for equal ones, else 1."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[Hashable] = Counter()

    def _distance(self, one: Any, other: Any) -> float:
        return float(one != other)

    def _collect(self, answers: Sequence[Any]) -> None:
        self._counts.update(answers)

    def _expected(self) -> float:
        equal = sum(count * (count - 1) for count in self._counts.values())
        return 1 - equal / (self.answers * (self.answers - 1))


class IntervalAlpha(Alpha):
    """Of numbers: the distance is the square of their difference."""

    def __init__(self) -> None:
        super().__init__()
        self._mean = self._deviation = 0.0
        self._seen = 0

    def _distance(self, one: Any, other: Any) -> float:
        return float(one - other) ** 2

    def _collect(self, answers: Sequence[Any]) -> None:
        for answer in answers:  # Welford's sums, which lose no digits where numbers are large
            self._seen += 1
            step = answer - self._mean
            self._mean += step / self._seen
            self._deviation += step * (answer - self._mean)

    def _expected(self) -> float:
        # The mean of (a - b)² over all pairs is twice the variance with n - 1.
        return 2 * self._deviation / (self.answers - 1)


class SampledAlpha(Alpha):
    """Of anything with a distance function from 0 to 1.

    The observed disagreement is exact. The expected one is exact for up to SAMPLED_ANSWERS
    answers, and otherwise estimated from as many, which are drawn at random with a fixed seed.
    """

    def __init__(self, distance: Callable[[Any, Any], float]) -> None:
        super().__init__()
        self._distance_of = distance
        self._random = np.random.default_rng(0)
        self._seen = 0
        self._sample: list[Any] = []

    def _distance(self, one: Any, other: Any) -> float:
        return self._distance_of(one, other)

    def _collect(self, answers: Sequence[Any]) -> None:
        for answer in answers:
            self._seen += 1
            if len(self._sample) < SAMPLED_ANSWERS:
                self._sample.append(answer)
                continue
            place = int(self._random.integers(self._seen))
            if place < SAMPLED_ANSWERS:
                self._sample[place] = answer

    def _expected(self) -> float:
        return fmean(self._distance(*pair) for pair in combinations(self._sample, 2))
