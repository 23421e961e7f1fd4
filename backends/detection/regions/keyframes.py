"""A track as the few key frames between which Label Studio's editor draws it."""

from collections.abc import Iterator

import numpy as np

from backends.detection.inputs.tracker import Track
from backends.detection.inputs.video import AlignedDetections, Floats
from shared.results import Rectangle, VideoBox, VideoTrack


def build_video_track(
    track: Track, aligned: AlignedDetections, tolerance: float, max_gap: int
) -> VideoTrack | None:
    """Build the track on the editor's frames; None if it is on none of them.

    The editor moves each edge evenly between two key frames; no edge is then more than
    `tolerance` pixels from where it was detected. A track whose object is missing on at most
    `max_gap` sampled frames continues through them; after a longer gap it ends and starts again.
    """
    limits = np.array([*aligned.video.size] * 2, np.float64)
    video_boxes = [
        video_box
        for start, boxes in _visible_parts(track, aligned, max_gap, limits)
        for video_box in _draw_keyframes(start, boxes, tolerance, limits)
    ]
    return VideoTrack(video_boxes) if video_boxes else None


def _visible_parts(
    track: Track, aligned: AlignedDetections, max_gap: int, limits: Floats
) -> Iterator[tuple[int, Floats]]:
    """Yield the first frame (of the editor) and the box on each frame of each part of a track."""
    editor_frames = aligned.file_frames()
    editor_frames = editor_frames[editor_frames >= 0]
    indices = np.array(track.indices)
    boxes = np.clip(np.array(track.boxes, np.float64), 0, limits)
    gaps = np.flatnonzero(np.diff(indices) > max_gap + 1) + 1
    for part in np.split(np.arange(len(indices)), gaps):
        frames = aligned.detections.sampled_frames[indices[part]]
        first = int(np.searchsorted(editor_frames, frames[0], side="left"))
        end = int(np.searchsorted(editor_frames, frames[-1], side="right"))
        if first < end:
            shown = editor_frames[first:end]
            edges = [np.interp(shown, frames, boxes[part, edge]) for edge in range(4)]
            yield first, np.stack(edges, axis=1)


def _draw_keyframes(
    start: int, boxes: Floats, tolerance: float, limits: Floats
) -> Iterator[VideoBox]:
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
