"""Average precision as COCO defines it (https://cocodataset.org/#detection-eval).

COCO's tools hold every box as a dictionary of Python: with faster-coco-eval 1.8, 200,000 true and
as many predicted boxes took 870 MB. Here cases are matched as they come, and of a detection stay
its score, its case, its label and the thresholds at which it hits.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# COCO's thresholds of the similarity, .50:.05:.95, its recall points, and how many detections of
# a label in one image count. They are computed as COCO does: 0.55 is not quite 0.55.
THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10, dtype=np.float64)
RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101, dtype=np.float64)
MAX_DETECTIONS = 100

# Resamples of few detections are computed together: detections times resamples at most.
FEW_DETECTIONS = 20_000

# Which of a detection's bits says that it counts: it is among the first of its label and image.
COUNTS_BIT = 1 << len(THRESHOLDS)


class Ranking(NamedTuple):
    """The detections of one label, the highest score first.

    `cases` has shape (n,). `hit_places` holds for each threshold the places of the hits among the
    n detections, ascending.
    """

    cases: NDArray[np.int32]
    hit_places: Sequence[NDArray[np.intp]]


class DetectionLog:
    """The detections of all cases: 18 bytes each."""

    def __init__(self) -> None:
        self._scores = array("d")
        self._cases = array("i")
        self._labels = array("i")
        self._bits = array("H")

    def add(
        self, case: int, labels: Sequence[int], scores: Sequence[float], bits: Sequence[int]
    ) -> None:
        """Add the detections of one image, in the order of their scores.

        Their `bits` say at which thresholds they hit, 1 for the first one; COUNTS_BIT that they
        count.
        """
        self._cases.extend([case] * len(labels))
        self._labels.extend(labels)
        self._scores.extend(scores)
        self._bits.extend(bits)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def cases(self) -> NDArray[np.int32]:
        """The case of each detection."""
        return np.array(self._cases, np.int32)

    @property
    def labels(self) -> NDArray[np.int32]:
        """The label's number of each detection."""
        return np.array(self._labels, np.int32)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score of each detection."""
        return np.array(self._scores, np.float64)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each detection hits at the first threshold."""
        hits: NDArray[np.bool_] = np.array(self._bits, np.uint16) & 1 == 1
        return hits

    def rankings(self, labels: int) -> Iterator[Ranking]:
        """Yield the ranking of each label by its number, from 0 to below `labels`.

        Equal scores stay in the order of the cases, as in COCO's evaluation.
        """
        bits = np.array(self._bits, np.uint16)
        cases, of_labels = self.cases, self.labels
        counted = np.flatnonzero(bits & COUNTS_BIT)
        ranked = counted[np.argsort(-self.scores[counted], kind="stable")]
        ranked = ranked[np.argsort(of_labels[ranked], kind="stable")]
        ends = np.searchsorted(of_labels[ranked], np.arange(labels + 1))
        for first, end in pairwise(ends):
            places = ranked[first:end]
            of_label = bits[places]
            hit_places = [
                np.flatnonzero(of_label & 1 << number) for number in range(len(THRESHOLDS))
            ]
            yield Ranking(cases[places], hit_places)


def average_precisions(ranking: Ranking, truths: int) -> NDArray[np.float64]:
    """Return the average precision at each threshold; NaN for a label without truths."""
    if not truths:
        return np.full(len(THRESHOLDS), np.nan)
    return np.array(
        [
            _interpolate(np.arange(1, len(places) + 1), places + 1, truths)
            for places in ranking.hit_places
        ]
    )


def resampled_precisions(
    ranking: Ranking, weights: NDArray[np.uint8], truths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the average precision at each threshold in each resample, shape (resamples, 10).

    `weights` says how often each resample draws each case, shape (resamples, cases); `truths` how
    many truths of the label it has, shape (resamples,). NaN where it has none. A detection that
    is drawn twice counts twice, at its place in the ranking.
    """
    found = np.full((len(weights), len(THRESHOLDS)), np.nan)
    drawable = np.flatnonzero(truths)
    step = max(FEW_DETECTIONS // max(len(ranking.cases), 1), 1)
    for start in range(0, len(drawable), step):
        numbers = drawable[start : start + step]
        drawn = weights[np.ix_(numbers, ranking.cases)]
        found[numbers] = _weigh(ranking, drawn, truths[numbers])
    return found


def _weigh(
    ranking: Ranking, drawn: NDArray[np.uint8], truths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the average precision at each threshold, shape (resamples, 10).

    `drawn` says how often each detection is drawn, shape (resamples, n).
    """
    ranks = np.maximum(np.cumsum(drawn, axis=1, dtype=np.int64), 1)
    found = np.empty((len(drawn), len(THRESHOLDS)))
    for threshold, places in enumerate(ranking.hit_places):
        hits = np.cumsum(drawn[:, places], axis=1, dtype=np.int64)
        if len(drawn) > 1:
            found[:, threshold] = _interpolate_rows(hits, ranks[:, places], truths[:, None])
        else:
            found[0, threshold] = _interpolate(hits[0], ranks[0, places], truths[0])
    return found


def _interpolate(hits: NDArray[np.int64], ranks: NDArray[np.int64], truths: float) -> float:
    """Return the mean of the precision at COCO's recall points.

    `hits` and `ranks` are, at each hit, how many hits and how many detections there are up to it.
    The precision at a recall point is the best at that recall or a higher one, and 0 at recalls
    that are not reached. It can only be best at a hit.
    """
    firsts = np.searchsorted(hits / truths, RECALL_POINTS, side="left")
    firsts = firsts[firsts < len(hits)]
    if not len(firsts):
        return 0.0
    best = np.maximum.reduceat(hits / ranks, firsts)
    return float(np.maximum.accumulate(best[::-1]).sum() / len(RECALL_POINTS))


def _interpolate_rows(
    hits: NDArray[np.int64], ranks: NDArray[np.int64], truths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Do what `_interpolate` does with each of many short rows at once."""
    best = np.maximum.accumulate((hits / ranks)[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALL_POINTS, hits / truths, side="right")
    total: NDArray[np.float64] = (np.diff(reached, axis=1, prepend=0) * best).sum(axis=1)
    return total / len(RECALL_POINTS)
