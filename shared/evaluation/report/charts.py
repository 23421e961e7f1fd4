"""What the report draws of a control tag: precision–recall curves, confusions, calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.calibration import BINS
from shared.evaluation.metrics.metric import ScoredPredictions
from shared.evaluation.thresholds import (
    Curve,
    OperatingPoint,
    find_operating_point,
    pool_labels,
    precision_recall_curve,
)

# Points of a curve at most.
MAX_POINTS = 200
# Labels with a curve of their own at most: those with the most true regions.
MAX_CURVES = 24
# Labels of a confusion matrix at most: those most often confused.
MAX_CONFUSED = 30


@dataclass(frozen=True)
class CurveChart:
    """A curve of a label, or of all (None), as points of SVG in a square of 100."""

    label: str | None
    points: str
    best: OperatingPoint | None
    predicted: int
    truths: int


@dataclass(frozen=True)
class ConfusionCell:
    """A count, and its share of the row from 0 to 1."""

    count: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class ConfusionMatrix:
    """Rows of what is true, columns of what was predicted; `left_out` counts the other labels."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[ConfusionCell]]]
    left_out: int


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions with scores of a range: their mean score, and the share that is right."""

    confidence: float
    accuracy: float
    count: int


def draw_curves(scored: Mapping[str, ScoredPredictions]) -> list[CurveChart]:
    """Return the curve of all labels together, then those of labels; none where none can be."""
    drawable = {label: one for label, one in scored.items() if one.truths and len(one.scores)}
    if not drawable:
        return []
    pooled = pool_labels(scored.values())
    charts = [_draw_curve(None, pooled)]
    if len(scored) > 1:
        by_truths = sorted(drawable.items(), key=lambda pair: -pair[1].truths)
        charts += [_draw_curve(label, one) for label, one in by_truths[:MAX_CURVES]]
    return charts


def _draw_curve(label: str | None, scored: ScoredPredictions) -> CurveChart:
    curve = precision_recall_curve(scored)
    kept = thin_curve(curve)
    points = " ".join(
        f"{100 * recall:.1f},{100 - 100 * precision:.1f}"
        for precision, recall in zip(curve.precision[kept], curve.recall[kept], strict=True)
    )
    best = find_operating_point(scored)
    return CurveChart(label, points, best, len(scored.scores), scored.truths)


def thin_curve(curve: Curve) -> NDArray[np.int64]:
    """Return the places of at most MAX_POINTS points, evenly spaced in recall."""
    count = len(curve.recall)
    if count <= MAX_POINTS:
        return np.arange(count)
    wanted = np.linspace(curve.recall[0], curve.recall[-1], MAX_POINTS)
    places = np.searchsorted(curve.recall, wanted, side="left")
    return np.unique(np.clip(places, 0, count - 1)).astype(np.int64)


def draw_confusion(confusion: Mapping[str, Mapping[str, int]]) -> ConfusionMatrix | None:
    """Return the matrix of {true: {predicted: count}}; None if it is empty."""
    names = list(dict.fromkeys([*confusion, *(p for row in confusion.values() for p in row)]))
    if not names:
        return None
    kept = _most_confused(names, confusion) if len(names) > MAX_CONFUSED else names
    rows = []
    for true in kept:
        row = confusion.get(true) or {}
        total = sum(row.values()) or 1
        cells = [
            ConfusionCell(row.get(name, 0), row.get(name, 0) / total, name == true) for name in kept
        ]
        rows.append((true, cells))
    return ConfusionMatrix(kept, rows, len(names) - len(kept))


def _most_confused(names: Sequence[str], confusion: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the labels with the most wrong cases, in the order of the matrix."""
    wrong = dict.fromkeys(names, 0)
    for true, row in confusion.items():
        for predicted, count in row.items():
            if predicted != true:
                wrong[true] += count
                wrong[predicted] += count
    chosen = set(sorted(names, key=lambda name: -wrong[name])[:MAX_CONFUSED])
    return [name for name in names if name in chosen]


def draw_calibration(scored: Mapping[str, ScoredPredictions]) -> list[CalibrationBin]:
    """Return the bins that hold predictions, those of all labels together, as `ece` has them."""
    pooled = pool_labels(scored.values())
    places = np.clip(np.ceil(pooled.scores * BINS) - 1, 0, BINS - 1)
    return [
        CalibrationBin(
            float(pooled.scores[places == place].mean()),
            float(pooled.hits[places == place].mean()),
            int((places == place).sum()),
        )
        for place in np.unique(places)
    ]
