"""Counts of hits, true and predicted regions by case and label, and the figures made of them."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.bootstrap import percentile_interval
from shared.evaluation.metrics.calibration import calibration_figures
from shared.evaluation.metrics.figures import count_distinct, ratio_figures, with_intervals
from shared.evaluation.metrics.metric import NO_LABEL, Resampler, ScoredPredictions


@dataclass(frozen=True)
class Counts:
    """Counts by entry, shape (n,) each; `similarities` are summed over the hits."""

    cases: NDArray[np.int32]
    hits: NDArray[np.int32]
    truths: NDArray[np.int32]
    predicted: NDArray[np.int32]
    similarities: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64]) -> "Counts":
        """Return some of the entries."""
        return Counts(
            self.cases[rows],
            self.hits[rows],
            self.truths[rows],
            self.predicted[rows],
            self.similarities[rows],
        )

    def figures(self, resampler: Resampler, similarity: str = "") -> dict[str, Any]:
        """Return the number of regions, and precision, recall and F1 where they exist.

        With `similarity`, that is the key of the hits' mean similarity.
        """
        below = self.truths + self.predicted
        ratios: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
            "precision": (self.hits, self.predicted),
            "recall": (self.hits, self.truths),
            "f1": (2 * self.hits, below),
        }
        if similarity:
            ratios[similarity] = (self.similarities, self.hits)
        regions = {"truth": int(self.truths.sum()), "predicted": int(self.predicted.sum())}
        return {"regions": regions} | ratio_figures(self.cases, ratios, resampler)


class LabelCounts:
    """Counts of each case and label, and the score of each prediction, in compact arrays."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._cases, self._labels = array("i"), array("i")
        self._hits, self._truths, self._predicted = array("i"), array("i"), array("i")
        self._similarities = array("d")
        self._score_cases, self._score_labels = array("i"), array("i")
        self._scores, self._score_hits = array("d"), array("b")

    def add(
        self, case: int, label: str, counts: tuple[int, int, int], similarity: float = 0.0
    ) -> None:
        """Add one case's numbers of hits, true and predicted regions with a label.

        `similarity` is the sum over the hits. Cases come in ascending order.
        """
        self._cases.append(case)
        self._labels.append(self._number_of(label))
        self._hits.append(counts[0])
        self._truths.append(counts[1])
        self._predicted.append(counts[2])
        self._similarities.append(similarity)

    def add_score(self, case: int, label: str, score: float, hit: bool) -> None:
        """Add the score of one prediction of a label, and whether it is right."""
        self._score_cases.append(case)
        self._score_labels.append(self._number_of(label))
        self._scores.append(score)
        self._score_hits.append(hit)

    def figures(self, resampler: Resampler, similarity: str = "") -> dict[str, Any]:
        """Return the figures of all labels together (micro-averaged)."""
        return self._counts().figures(resampler, similarity)

    def label_figures(self, resampler: Resampler, similarity: str = "") -> dict[str, Any]:
        """Return the figures of each label under `labels`; nothing without labels."""
        found = {
            label: {"tasks": count_distinct(counts.cases)} | counts.figures(resampler, similarity)
            for label, counts in self._by_label()
            if label != NO_LABEL
        }
        return {"labels": found} if found else {}

    def macro_f1(self, resampler: Resampler) -> dict[str, Any]:
        """Return the mean of the labels' F1 as `macro_f1`, with its interval.

        As in scikit-learn, all labels count that occur in the truth or in predictions.
        """
        values: list[float] = []
        sums: Any = 0.0
        present: Any = 0
        for _, counts in self._by_label():
            above, below = 2 * counts.hits, counts.truths + counts.predicted
            values.append(above.sum() / below.sum())
            all_above = resampler.totals(counts.cases, above)
            all_below = resampler.totals(counts.cases, below)
            drawn = all_below > 0
            sums = sums + np.divide(all_above, all_below, np.zeros_like(all_above), where=drawn)
            present = present + drawn
        if not values:
            return {}
        some = present > 0
        ends = percentile_interval(sums[some] / present[some])
        return {"macro_f1": float(np.mean(values))} | with_intervals({"macro_f1": ends})

    def calibration(self, resampler: Resampler) -> dict[str, Any]:
        """Return the calibration error of all scores as `ece`; nothing without scores."""
        cases = np.array(self._score_cases, np.int32)
        return calibration_figures(cases, *self._all_scores(), resampler)

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        scores, hits = self._all_scores()
        if not len(scores):
            return {}
        own = dict(_rows_by_number(np.array(self._score_labels, np.int32), len(self._numbers)))
        truths = np.bincount(
            np.array(self._labels, np.int32), np.array(self._truths), len(self._numbers)
        )
        return {
            label: ScoredPredictions(scores[own[number]], hits[own[number]], int(truths[number]))
            for label, number in sorted(self._numbers.items())
        }

    def _all_scores(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return np.array(self._scores, np.float64), np.array(self._score_hits, np.bool_)

    def _number_of(self, label: str) -> int:
        return self._numbers.setdefault(label, len(self._numbers))

    def _counts(self) -> Counts:
        return Counts(
            np.array(self._cases, np.int32),
            np.array(self._hits, np.int32),
            np.array(self._truths, np.int32),
            np.array(self._predicted, np.int32),
            np.array(self._similarities, np.float64),
        )

    def _by_label(self) -> Iterator[tuple[str, Counts]]:
        """Yield the counts of each label that has any, in the order of the labels."""
        counts = self._counts()
        rows = dict(_rows_by_number(np.array(self._labels, np.int32), len(self._numbers)))
        for label, number in sorted(self._numbers.items()):
            if len(rows[number]):
                yield label, counts.at(rows[number])


def _rows_by_number(
    numbers: NDArray[np.int32], count: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield for each number below `count` the places at which it stands."""
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(count + 1))
    for number in range(count):
        yield number, order[ends[number] : ends[number + 1]]
