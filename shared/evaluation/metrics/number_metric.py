"""Ratings and numbers: how far predicted ones are off, and whether they order tasks alike."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require
from shared.evaluation.metrics.bootstrap import percentile_interval
from shared.evaluation.metrics.figures import (
    count_distinct,
    join_figures,
    ratio_figures,
    with_intervals,
)
from shared.evaluation.metrics.labelled_regions import control_value
from shared.evaluation.metrics.metric import Outcome, Resampler, ScoredPredictions
from shared.evaluation.metrics.paired_values import ComparedValues, compare_values
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion


class NumberMetric:
    """Mean absolute error and Spearman's rank correlation of the numbers that both sides have.

    `regions` counts those that only one side has, too, and `pairs` those of both. A task's score
    is the mean of 1 / (1 + error), 0 for a number that the other side lacks.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._cases = array("q")
        self._pair_cases = array("q")
        self._true, self._predicted = array("d"), array("d")
        self._given = [0, 0]

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's numbers."""

        def compare(
            true_regions: Sequence[ParsedRegion], predicted_regions: Sequence[ParsedRegion]
        ) -> ComparedValues | None:
            true, claimed = self._number(true_regions), self._number(predicted_regions)
            if true is None and claimed is None:
                return None
            score = self._count(case, true, claimed)
            return ComparedValues(score, score == 1)

        return compare_values(truth, predicted, compare)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return `mae` and `spearman`, which lacks where one side always says the same."""
        cases = np.array(self._pair_cases, np.int64)
        true, predicted = np.array(self._true), np.array(self._predicted)
        errors = {"mae": (np.abs(true - predicted), np.ones(len(cases)))}
        return {
            "tasks": count_distinct(np.array(self._cases, np.int64)),
            "regions": {"truth": self._given[0], "predicted": self._given[1]},
            "pairs": len(cases),
            **join_figures(
                ratio_figures(cases, errors, resampler),
                _spearman_figures(cases, true, predicted, resampler),
            ),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return nothing: numbers have no labels."""
        return {}

    def _number(self, regions: Iterable[ParsedRegion]) -> float | None:
        """Return the number of the last result; None if none is one."""
        number = None
        for region in regions:
            _, value = control_value(region, self._control.name)
            number = _as_number(value, number)
        return number

    def _count(self, case: int, true: float | None, predicted: float | None) -> float:
        """Count an answer, and return its score."""
        self._cases.append(case)
        self._given[0] += true is not None
        self._given[1] += predicted is not None
        if true is None or predicted is None:
            return 0.0
        self._pair_cases.append(case)
        self._true.append(true)
        self._predicted.append(predicted)
        return 1 / (1 + abs(true - predicted))


def _as_number(value: Any, default: float | None) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if np.isfinite(number) else default


def _spearman_figures(
    cases: NDArray[np.int64],
    true: NDArray[np.float64],
    predicted: NDArray[np.float64],
    resampler: Resampler,
) -> dict[str, Any]:
    if len(cases) < 2 or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return {}
    spearman = float(require("scipy.stats", "evaluate").spearmanr(true, predicted).statistic)
    pairs = _RankedPairs(true, predicted)
    drawn = (pairs.correlation(weights) for weights in resampler.draws(cases))
    ends = percentile_interval(np.array([one for one in drawn if one is not None]))
    return {"spearman": spearman} | with_intervals({"spearman": ends})


class _RankedPairs:
    """Pairs of values whose ranks are found for any weights of them; equal pairs are one."""

    def __init__(self, true: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        pairs, self._numbers = np.unique(
            np.stack([true, predicted], axis=1), axis=0, return_inverse=True
        )
        self._numbers = self._numbers.reshape(-1)  # NumPy 2.0 gives it two dimensions
        self._count = len(pairs)
        self._places = [np.unique(side, return_inverse=True)[1] for side in pairs.T]

    def correlation(self, weights: NDArray[np.uint8]) -> float | None:
        """Return Spearman's correlation where each pair stands as often as its weight says.

        None if one side has a single value.
        """
        counts = np.bincount(self._numbers, weights, self._count)
        total = counts.sum()
        if not total:
            return None
        sides = []
        for places in self._places:
            equal = np.bincount(places, counts)
            ranks = (np.cumsum(equal) - equal / 2)[places]  # mean ranks, less one half
            sides.append(ranks - counts @ ranks / total)
        true, predicted = sides
        variances = (counts @ true**2) * (counts @ predicted**2)
        return float(counts @ (true * predicted) / np.sqrt(variances)) if variances > 0 else None
