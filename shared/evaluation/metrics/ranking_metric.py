"""Rankings: whether items stand in the same order and in the same buckets."""

from array import array
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from shared.evaluation.metrics.figures import count_distinct, join_figures, ratio_figures
from shared.evaluation.metrics.labelled_regions import control_value
from shared.evaluation.metrics.metric import Outcome, Resampler, ScoredPredictions
from shared.evaluation.metrics.paired_values import ComparedValues, compare_values
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

# The ids of the items in each bucket, in their order.
Ranking: TypeAlias = Mapping[str, Sequence[str]]


class RankingMetric:
    """Kendall's tau of the items that both sides have in a bucket; accuracy of the buckets.

    `tau` is the mean over the buckets with at least two such items; `accuracy` is the share of
    the true items that the prediction puts into the same bucket. A task's score is the mean of
    both, tau from 0 to 1.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._cases, self._placed, self._items = array("q"), array("q"), array("q")
        self._given = [0, 0]
        self._taus: dict[str, tuple[array[int], array[float]]] = defaultdict(
            lambda: (array("q"), array("d"))
        )

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's rankings."""

        def compare(
            true_regions: Sequence[ParsedRegion], predicted_regions: Sequence[ParsedRegion]
        ) -> ComparedValues | None:
            true, claimed = self._ranking(true_regions), self._ranking(predicted_regions)
            if not true and not claimed:
                return None
            return ComparedValues(self._count(case, true, claimed), true == claimed)

        return compare_values(truth, predicted, compare)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return `tau` and `accuracy` overall, and `tau` by bucket if there are several."""
        cases = np.array(self._cases, np.int64)
        accuracy = {"accuracy": (np.array(self._placed), np.array(self._items))}
        taus = {name: _tau_figures([own], resampler) for name, own in sorted(self._taus.items())}
        return {
            "tasks": count_distinct(cases),
            "regions": {"truth": self._given[0], "predicted": self._given[1]},
            **join_figures(
                _tau_figures(list(self._taus.values()), resampler),
                ratio_figures(cases, accuracy, resampler),
            ),
            **({"labels": taus} if len(self._control.buckets) > 1 and taus else {}),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return nothing: rankings have no scored labels."""
        return {}

    def _ranking(self, regions: Iterable[ParsedRegion]) -> Ranking:
        """Return the last result's buckets that are not empty; without Buckets there is one."""
        ranking: Ranking = {}
        for region in regions:
            _, value = control_value(region, self._control.name)
            if isinstance(value, Mapping):
                lists = ((name, ids) for name, ids in value.items() if isinstance(ids, list))
                ranking = {str(name): list(map(str, ids)) for name, ids in lists if ids}
        if self._control.buckets or not ranking:
            return ranking
        return {self._control.name: [one for ids in ranking.values() for one in ids]}

    def _count(self, case: int, truth: Ranking, predicted: Ranking) -> float:
        """Count a ranking, and return its score."""
        self._given[0] += bool(truth)
        self._given[1] += bool(predicted)
        buckets = {one: name for name, ids in predicted.items() for one in ids}
        placed = items = 0
        taus = []
        for name, ids in truth.items():
            common = [one for one in dict.fromkeys(ids) if buckets.get(one) == name]
            placed, items = placed + len(common), items + len(dict.fromkeys(ids))
            if len(common) > 1:
                taus.append(kendall_tau(common, predicted[name]))
                self._taus[name][0].append(case)
                self._taus[name][1].append(taus[-1])
        self._cases.append(case)
        self._placed.append(placed)
        self._items.append(items)
        accuracy = placed / items if items else 0.0
        return fmean([accuracy, (fmean(taus) + 1) / 2]) if taus else accuracy


def kendall_tau(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return Kendall's tau of the order of the true items, all of which are in `predicted`.

    From -1 for the reverse to 1 for the same order: 1 - 4 × inversions / (n (n - 1)).
    """
    place_of = {one: place for place, one in enumerate(dict.fromkeys(predicted))}
    before: list[int] = []
    inversions = 0
    for one in truth:
        place = place_of[one]
        inversions += len(before) - bisect_left(before, place)
        insort(before, place)
    return 1 - 4 * inversions / (len(truth) * (len(truth) - 1))


def _tau_figures(
    taus: Sequence[tuple["array[int]", "array[float]"]], resampler: Resampler
) -> dict[str, Any]:
    cases = np.concatenate([np.empty(0, np.int64), *(np.array(one) for one, _ in taus)])
    values = np.concatenate([np.empty(0), *(np.array(one) for _, one in taus)])
    return ratio_figures(cases, {"tau": (values, np.ones(len(values)))}, resampler)
