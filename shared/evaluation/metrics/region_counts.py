"""What stays of compared regions: some numbers each, so that a million of them fit in memory."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.average_precision import COUNTS_BIT, MAX_DETECTIONS, DetectionLog
from shared.evaluation.metrics.metric import ScoredPredictions


class Detection(NamedTuple):
    """A predicted region as one of its labels.

    `bits` are the thresholds at which it hits, `similarity` that of the true region it hits, or 0.
    """

    label: str
    score: float | None
    bits: int
    similarity: float


class RegionCounts:
    """The predicted and true regions of all cases, as numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._similarities = array("d")
        self._truth_cases, self._truth_labels = array("i"), array("i")
        self.detections = DetectionLog()
        self.true_regions = self.predicted_regions = 0
        self.has_scores = False

    def add_regions(self, truth: int, predicted: int) -> None:
        """Count regions, whatever labels they have."""
        self.true_regions += truth
        self.predicted_regions += predicted

    def add_truths(self, case: int, labels: Iterable[str]) -> None:
        """Add the true regions of a case, by the labels that they have."""
        numbers = [self._number(label) for label in labels]
        self._truth_cases.extend([case] * len(numbers))
        self._truth_labels.extend(numbers)

    def add_detections(self, case: int, detections: Sequence[Detection]) -> None:
        """Add the detections of one image, in the order of their scores."""
        if not detections:
            return
        labels, scores, bits, similarities = zip(*detections, strict=True)
        if any(score is not None for score in scores):
            self.has_scores = True
        self._similarities.extend(similarities)
        self.detections.add(
            case,
            [self._number(label) for label in labels],
            [score or 0.0 for score in scores],
            _with_counts_bit(labels, bits),
        )

    @property
    def labels(self) -> list[str]:
        """The labels that occurred, by their numbers."""
        return list(self._numbers)

    @property
    def similarities(self) -> NDArray[np.float64]:
        """The similarity of each detection to what it hits, or 0."""
        return np.array(self._similarities, np.float64)

    @property
    def truth_cases(self) -> NDArray[np.int32]:
        """The case of each true region."""
        return np.array(self._truth_cases, np.int32)

    @property
    def truth_labels(self) -> NDArray[np.int32]:
        """The label's number of each true region."""
        return np.array(self._truth_labels, np.int32)

    def of_label(self, label: str) -> dict[str, int]:
        """Return the number of true and of predicted regions of a label."""
        number = self._numbers.get(label, -1)
        return {
            "truth": int(np.count_nonzero(self.truth_labels == number)),
            "predicted": int(np.count_nonzero(self.detections.labels == number)),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        if not self.has_scores:
            return {}
        truths = np.bincount(self.truth_labels, minlength=len(self._numbers))
        of_labels, scores = self.detections.labels, self.detections.scores
        hits = self.detections.hits
        found = {}
        for label, number in self._numbers.items():
            places = np.flatnonzero(of_labels == number)
            found[label] = ScoredPredictions(scores[places], hits[places], int(truths[number]))
        return found

    def _number(self, label: str) -> int:
        return self._numbers.setdefault(label, len(self._numbers))


def _with_counts_bit(labels: Sequence[str], bits: Sequence[int]) -> list[int]:
    """Return the bits with that of detections which count: the first ones of each label."""
    if len(labels) <= MAX_DETECTIONS:
        return [COUNTS_BIT | one for one in bits]
    ranks: Counter[str] = Counter()
    found = []
    for label, one in zip(labels, bits, strict=True):
        ranks[label] += 1
        found.append(COUNTS_BIT | one if ranks[label] <= MAX_DETECTIONS else one)
    return found
