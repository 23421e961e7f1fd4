"""Non-maximum suppression: of boxes that overlap too much, the one with the highest score remains.

The arithmetic is that of `non_max_suppression` of Ultralytics, in single precision where that
rounds, so that the same boxes remain.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

# Pixels between the boxes of two classes, so that those never overlap.
CLASS_OFFSET = 7680
# Boxes that are compared at most: those of the highest scores.
MAX_BOXES = 30_000
_EPSILON = 1e-7


def select_anchors(output: Floats, class_count: int, min_score: float) -> Floats:
    """Return a row (6 + e) for each anchor above a score: its box, its best score and its class.

    `output` (4 + classes + e, anchors) has the boxes as centre, width and height, which stay so;
    the e further numbers of an anchor are kept.
    """
    scores = output[4 : 4 + class_count]
    anchors = np.flatnonzero(scores.max(axis=0) > min_score)
    chosen = output[:, anchors]
    classes = chosen[4 : 4 + class_count].argmax(axis=0)
    best = chosen[4 + classes, np.arange(len(anchors))]
    parts = (chosen[:4], best[None], classes[None], chosen[4 + class_count :])
    rows: Floats = np.concatenate(parts).T.astype(np.float32)
    if len(rows) > MAX_BOXES:
        rows = rows[np.argsort(-rows[:, 4], kind="stable")[:MAX_BOXES]]
    return rows


def to_edges(boxes: Floats) -> Floats:
    """Return boxes (n, 4) of centre, width and height as left, top, right, bottom."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def to_corner_and_size(boxes: Floats) -> NDArray[np.float64]:
    """Return boxes (n, 4) of left, top, right, bottom as left, top, width, height."""
    edges = boxes.astype(np.float64)
    return np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)


def suppress(boxes: Floats, scores: Floats, classes: Floats, iou_threshold: float) -> Indices:
    """Return which boxes (n, 4), as left, top, right, bottom, remain, the highest score first.

    Boxes are suppressed by those of their class alone, where the overlap (IoU) is above the
    threshold.
    """
    import cv2

    if iou_threshold >= 1:  # no overlap is above it
        return np.argsort(-scores, kind="stable")
    corner_and_size: Any = to_corner_and_size(boxes + (classes * CLASS_OFFSET)[:, None])
    given: Any = scores
    kept = cv2.dnn.NMSBoxes(corner_and_size, given, 0.0, iou_threshold)
    return np.asarray(kept, np.int64).reshape(-1)


def suppress_oriented(
    boxes: Floats, scores: Floats, classes: Floats, iou_threshold: float
) -> Indices:
    """Return which boxes (n, 5), as centre, width, height and angle, remain.

    The overlap is that of the normal distributions of the same extent (ProbIoU, arXiv:2106.06072).
    A box is suppressed by any better one, even by one that is suppressed itself.
    """
    order = np.argsort(-scores, kind="stable")
    moved = boxes[order].copy()
    moved[:, :2] += (classes[order] * CLASS_OFFSET)[:, None]
    overlaps = np.triu(_probabilistic_ious(moved), 1)
    return order[~(overlaps > iou_threshold).any(axis=0)]


def _probabilistic_ious(boxes: Floats) -> Floats:
    """Return the likeness of each two of n boxes, shape (n, n): 1 for equal ones."""
    x, y, width, height, angle = boxes.T
    variance_x, variance_y = width**2 / 12, height**2 / 12
    cos, sin = np.cos(angle), np.sin(angle)
    a = variance_x * cos**2 + variance_y * sin**2
    b = variance_x * sin**2 + variance_y * cos**2
    c = (variance_x - variance_y) * cos * sin
    sum_a, sum_b, sum_c = (one[:, None] + one[None] for one in (a, b, c))
    apart_x, apart_y = x[:, None] - x[None], y[:, None] - y[None]
    determinant = sum_a * sum_b - sum_c**2
    square = (sum_a * apart_y**2 + sum_b * apart_x**2) / (determinant + _EPSILON)
    mixed = sum_c * -apart_x * apart_y / (determinant + _EPSILON)
    own = np.clip(a * b - c**2, 0, None)
    scale = np.log(determinant / (4 * np.sqrt(own[:, None] * own[None]) + _EPSILON) + _EPSILON)
    distance = np.clip(square / 4 + mixed / 2 + scale / 2, _EPSILON, 100)
    return np.asarray(1 - np.sqrt(1 - np.exp(-distance) + _EPSILON), np.float32)
