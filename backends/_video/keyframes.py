"""A track as the few key frames between which Label Studio's editor draws it."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.results import Rectangle, VideoBox

Floats: TypeAlias = NDArray[np.float64]

# Boxes between key frames may be off by a pixel on a video with this longer side.
TOLERANCE_REFERENCE_SIDE = 640


def choose_tolerance(given: float, longer_side: float) -> float:
    """Return how many pixels an edge may be off: as `given`, or by the video's size if negative."""
    return given if given >= 0 else max(1.0, longer_side / TOLERANCE_REFERENCE_SIDE)


def draw_keyframes(
    start: int, boxes: Floats, tolerance: float, limits: Floats
) -> Iterator[VideoBox]:
    """Yield the key frames of `boxes` (n, 4), those of the editor's frames from `start` on.

    The last one ends the track: the editor shows nothing after it. See `fit_keyframes`.
    """
    # Edges may move towards each other by twice the tolerance: no box may vanish by that.
    smallest_side = float((boxes[:, 2:] - boxes[:, :2]).min())
    offsets, rows = fit_keyframes(boxes, min(tolerance, smallest_side / 4), limits)
    for offset, row in zip(offsets, rows, strict=True):
        is_enabled = offset != offsets[-1]
        yield VideoBox(start + offset, Rectangle.from_xyxy(row.tolist()), is_enabled)


def fit_keyframes(
    values: Floats, tolerance: float, limits: Floats
) -> tuple[list[int], list[Floats]]:
    """Return few indices and rows between which linear interpolation gives all `values`.

    `values` (n, k) lie from 0 to `limits` (k,), and so do the rows; each interpolated value is
    within `tolerance`.

    This is the swing filter (Elmeleegy et al., 2009): from a key frame on, it narrows the range
    of slopes that stay within tolerance of all following values, until the range is empty; there
    the next key frame is set, by the least squares slope within the range. Detections jitter, and
    a filter whose key frames must be detected values (Douglas-Peucker) would follow the jitter.
    """
    low, high = np.maximum(values - tolerance, 0.0), np.minimum(values + tolerance, limits)
    indices, rows = [0], [values[0]]
    while indices[-1] < len(values) - 1:
        index, row = indices[-1], rows[-1]
        min_slope, max_slope = np.full(row.shape, -np.inf), np.full(row.shape, np.inf)
        for end in range(index + 1, len(values)):
            narrowed_min = np.maximum(min_slope, (low[end] - row) / (end - index))
            narrowed_max = np.minimum(max_slope, (high[end] - row) / (end - index))
            if (narrowed_min > narrowed_max).any():
                end -= 1
                break
            min_slope, max_slope = narrowed_min, narrowed_max
        steps = np.arange(1, end - index + 1)[:, None]
        slope = ((values[index + 1 : end + 1] - row) * steps).sum(axis=0) / (steps**2).sum()
        indices.append(end)
        rows.append(row + np.clip(slope, min_slope, max_slope) * (end - index))
    return indices, rows
