"""Overlap of boxes: upright ones by COCO's formula, turned ones by their corners."""

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.similarity.outlines import outlines_of, paired_overlap
from shared.evaluation.similarity.ratio import overlap_ratio
from shared.results import Rectangle

Floats = NDArray[np.float64]


def box_iou(predicted: Floats, truth: Floats) -> Floats:
    """Return the IoU of each two boxes; `predicted` has shape (n, 4): left, top, width, height.

    The operations are COCO's, in their order, so that ties are ties there, too.
    """
    overlap = _box_overlap(predicted[:, None], truth[None])
    union = _box_areas(predicted)[:, None] + _box_areas(truth) - overlap
    return overlap_ratio(overlap, union)


def paired_box_iou(predicted: Floats, truth: Floats, aspect: float = 1.0) -> Floats:
    """Return the IoU of the boxes at equal places; both have shape (n, 5).

    The numbers of a box: left, top, width, height, clockwise turn in degrees. A unit of x is
    `aspect` units of y, on which the overlap of turned boxes depends.
    """
    upright = (predicted[:, 4] % 360 == 0) & (truth[:, 4] % 360 == 0)
    overlap = np.zeros(len(predicted))
    overlap[upright] = _box_overlap(predicted[upright, :4], truth[upright, :4])
    units = np.array([aspect, 1, aspect, 1, 1])
    turned, true_turned = (
        outlines_of([Rectangle(*box) for box in (boxes[~upright] * units).tolist()])
        for boxes in (predicted, truth)
    )
    overlap[~upright] = paired_overlap(turned, true_turned) / aspect
    return overlap_ratio(overlap, _box_areas(predicted) + _box_areas(truth) - overlap)


def _box_areas(boxes: Floats) -> Floats:
    areas: Floats = boxes[..., 2] * boxes[..., 3]
    return areas


def _box_overlap(predicted: Floats, truth: Floats) -> Floats:
    first = np.maximum(predicted[..., :2], truth[..., :2])
    last = np.minimum(_far_corners(predicted), _far_corners(truth))
    sides = np.maximum(last - first, 0.0)
    overlap: Floats = sides[..., 0] * sides[..., 1]
    return overlap


def _far_corners(boxes: Floats) -> Floats:
    corners: Floats = boxes[..., 2:4] + boxes[..., :2]
    return corners
