"""A track as the few key frames between which Label Studio's editor draws it."""

from collections.abc import Iterator

import numpy as np

from backends._video.keyframes import draw_keyframes
from backends.detection.inputs.tracker import Track
from backends.detection.inputs.video import AlignedDetections, Floats
from shared.results import VideoTrack


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
        for video_box in draw_keyframes(start, boxes, tolerance, limits)
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
