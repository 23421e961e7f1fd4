"""Score thresholds from evidence: where predictions reach a wanted precision, or the best F1.

Backends read one threshold for each control tag, its attribute `model_score_threshold`. So each
control tag gets one for all of its labels together, beside those of the labels themselves.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.metric import Metric, ScoredPredictions
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.tag_attribute import set_attribute

ATTRIBUTE = "model_score_threshold"
# A second attribute of detection's control tags; the higher one of both counts there.
OTHER_ATTRIBUTE = "model_conf"


class OperatingPoint(NamedTuple):
    """What predictions with at least a score are worth.

    `predicted` is the number of those predictions, `truths` that of the true regions.
    """

    score: float
    precision: float
    recall: float
    f1: float
    predicted: int
    truths: int


@dataclass(frozen=True)
class Threshold:
    """The suggested threshold of a control tag, or of one of its labels.

    `label` is None for all labels of the control tag together. Without a `point` there is none,
    and `note` says why; with one, `note` is what to know about it, if anything.
    """

    control: str
    label: str | None
    point: OperatingPoint | None
    note: str = ""


def suggest_thresholds(
    metrics: Mapping[str, Metric], precision: float | None = None
) -> list[Threshold]:
    """Return the threshold of each control tag, followed by those of its labels.

    It is the lowest score at which the predictions reach `precision`, or else the one with the
    best F1. Control tags whose predictions have no scores are left out.
    """
    found: list[Threshold] = []
    for control, metric in metrics.items():
        by_label = metric.scored()
        if not by_label:
            continue
        found.append(_suggest(control, None, pool_labels(by_label.values()), precision))
        if len(by_label) > 1 or any(by_label):
            found += [_suggest(control, label, one, precision) for label, one in by_label.items()]
    return found


def pool_labels(parts: Iterable[ScoredPredictions]) -> ScoredPredictions:
    """Return the predictions of all labels together."""
    several = list(parts)
    return ScoredPredictions(
        np.concatenate([part.scores for part in several]) if several else np.empty(0),
        np.concatenate([part.hits for part in several]) if several else np.empty(0, bool),
        sum(part.truths for part in several),
    )


class Curve(NamedTuple):
    """Precision and recall at each score that occurs, highest first; each has shape (n,)."""

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    predicted: NDArray[np.int64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of both; 0 where both are."""
        total = self.precision + self.recall
        product = 2 * self.precision * self.recall
        return np.divide(product, total, out=np.zeros_like(total), where=total > 0)


def precision_recall_curve(scored: ScoredPredictions) -> Curve:
    """Return the curve; predictions of equal scores are one point. Recall of no truths is 0."""
    order = np.argsort(-scored.scores, kind="stable")
    scores, hits = scored.scores[order], np.cumsum(scored.hits[order])
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else order
    predicted = (last + 1).astype(np.int64)
    right = hits[last]
    return Curve(scores[last], right / predicted, right / max(scored.truths, 1), predicted)


def find_operating_point(
    scored: ScoredPredictions, precision: float | None = None
) -> OperatingPoint | None:
    """Return the point of the best F1, or that of the most recall with at least `precision`.

    None if it cannot be reached. Of equal ones it is that of the highest score.
    """
    curve = precision_recall_curve(scored)
    quality = curve.f1
    if precision is not None:
        quality = np.where(curve.precision >= precision - 1e-12, curve.recall, 0.0)
    if not len(quality) or quality.max() <= 0:
        return None
    return _point_at(int(np.argmax(quality)), curve, scored.truths)


def _point_at(at: int, curve: Curve, truths: int) -> OperatingPoint:
    below = float(curve.scores[at + 1]) if at + 1 < len(curve.scores) else None
    return OperatingPoint(
        round_threshold(float(curve.scores[at]), below),
        float(curve.precision[at]),
        float(curve.recall[at]),
        float(curve.f1[at]),
        int(curve.predicted[at]),
        truths,
    )


def round_threshold(score: float, below: float | None) -> float:
    """Return the shortest number that divides a score from the next one below it.

    At least two decimals are kept. Predictions with `score` pass it, those with `below` do not.
    """
    for decimals in range(2, 16):
        rounded: float = math.floor(score * 10**decimals + 1e-9) / 10**decimals
        if rounded <= score and (below is None or rounded > below):
            return rounded
    return score


def _suggest(
    control: str, label: str | None, scored: ScoredPredictions, precision: float | None
) -> Threshold:
    point = find_operating_point(scored, precision)
    if point is None:
        return Threshold(control, label, None, _reason(scored, precision))
    note = ""
    if point.predicted == len(scored.scores) and point.recall < 1:
        note = "the lowest score that was predicted: a lower threshold may be better"
    return Threshold(control, label, point, note)


def _reason(scored: ScoredPredictions, precision: float | None) -> str:
    if not len(scored.scores):
        return "no predictions with a score"
    if not scored.truths:
        return "no true regions"
    if not scored.hits.any():
        return "no prediction is right"
    best = float(precision_recall_curve(scored).precision.max())
    return f"precision {precision:g} is not reached: the best is {best:.3f}"


def config_with_thresholds(config: LabelConfig, thresholds: Sequence[Threshold]) -> str:
    """Return the label config's XML with the suggested thresholds of its control tags.

    Nothing else of the text changes. Control tags without a suggestion keep what they have.
    """
    xml = config.xml
    for threshold in thresholds:
        if threshold.label is None and threshold.point is not None:
            score = format_threshold(threshold.point.score)
            xml = set_attribute(xml, threshold.control, ATTRIBUTE, score)
    return xml


def conflicting_attributes(config: LabelConfig, thresholds: Sequence[Threshold]) -> list[str]:
    """Return what to change by hand: attributes that would outdo a suggested threshold."""
    found = []
    for threshold in thresholds:
        control = config.find_control(threshold.control)
        if threshold.label is not None or threshold.point is None or control is None:
            continue
        other = control.get_number(OTHER_ATTRIBUTE, 0, 0, 1)
        if other > threshold.point.score:
            found.append(
                f'{control} has {OTHER_ATTRIBUTE}="{other:g}", which is higher than the suggested'
                f" {ATTRIBUTE} and counts instead of it: remove it"
            )
    return found


def format_threshold(score: float) -> str:
    """Return a threshold as an attribute has it: without an exponent."""
    return str(np.format_float_positional(score, trim="-"))
