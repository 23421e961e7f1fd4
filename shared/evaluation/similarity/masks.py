"""Overlap of masks by their pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.similarity.ratio import overlap_ratio

# Shape (height, width).
Masks = NDArray[np.bool_]

# The part of a mask around what is inside, and its first row and column.
Crop = tuple[Masks, int, int]


def mask_iou(predicted: Sequence[Masks], truth: Sequence[Masks]) -> NDArray[np.float64]:
    """Return the IoU of each two masks of one shape by their pixels."""
    parts, true_parts = ([_crop(mask) for mask in masks] for masks in (predicted, truth))
    overlap = np.array([[_pixel_overlap(a, b) for b in true_parts] for a in parts], np.float64)
    areas, true_areas = (
        np.array([np.count_nonzero(part[0]) for part in found], np.float64)
        for found in (parts, true_parts)
    )
    return overlap_ratio(overlap, areas[:, None] + true_areas - overlap)


def resize_mask(inside: Masks, width: int, height: int) -> Masks:
    """Return the mask at another size: each pixel is what lies at its centre."""
    rows = ((np.arange(height) + 0.5) * inside.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * inside.shape[1] / width).astype(int)
    resized: Masks = inside[np.ix_(rows, columns)]
    return resized


def _crop(mask: Masks) -> Crop:
    """Return the part of a mask around what is inside, and its first row and column."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mask[:0, :0], 0, 0
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], int(rows[0]), int(columns[0])


def _pixel_overlap(one: Crop, other: Crop) -> int:
    (mask, top, left), (other_mask, other_top, other_left) = one, other
    first, start = max(top, other_top), max(left, other_left)
    last = min(top + mask.shape[0], other_top + other_mask.shape[0])
    end = min(left + mask.shape[1], other_left + other_mask.shape[1])
    if first >= last or start >= end:
        return 0
    part = mask[first - top : last - top, start - left : end - left]
    other_part = other_mask[
        first - other_top : last - other_top, start - other_left : end - other_left
    ]
    return int(np.count_nonzero(part & other_part))
