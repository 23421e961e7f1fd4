"""A track as the few key frames between which Label Studio's editor draws it."""

from collections.abc import Iterator

import numpy as np

from backends.detection.inputs.tracker import Track
from backends.detection.inputs.video import AlignedDetections, Floats
from shared.results import Rectangle, VideoBox, VideoTrack


def video_track(
    track: Track, watched: AlignedDetections, tolerance: float, gap: int
) -> VideoTrack | None:
    """The track on the editor's frames; None if it is on none of them.

    Between two key frames the editor moves each edge evenly; there no edge is further than
    `tolerance` pixels from where it was found. A track that is missed for at most `gap` of the
    frames looked at goes on meanwhile; after a longer time it ends, and begins again.
    """
    edges = np.array([*watched.shown.size] * 2, np.float64)
    boxes = [
        box
        for start, drawn in _parts(track, watched, gap, edges)
        for box in _thin(start, drawn, tolerance, edges)
    ]
    return VideoTrack(boxes) if boxes else None


def _parts(
    track: Track, watched: AlignedDetections, gap: int, edges: Floats
) -> Iterator[tuple[int, Floats]]:
    """Each time that the track is there: the editor's first frame, and a box a frame."""
    shown = watched.frames()
    shown = shown[shown >= 0]
    numbers = np.array(track.numbers)
    boxes = np.clip(np.array(track.boxes, np.float64), 0, edges)
    for part in np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers) > gap + 1) + 1):
        frames = watched.seen.looked[numbers[part]]
        first = int(np.searchsorted(shown, frames[0], side="left"))
        last = int(np.searchsorted(shown, frames[-1], side="right"))
        if first < last:
            at = shown[first:last]
            drawn = [np.interp(at, frames, boxes[part, edge]) for edge in range(4)]
            yield first, np.stack(drawn, axis=1)


def _thin(start: int, drawn: Floats, tolerance: float, edges: Floats) -> Iterator[VideoBox]:
    least = min(tolerance, float((drawn[:, 2:] - drawn[:, :2]).min()) / 4)  # no box vanishes
    places, rows = key_frames(drawn, least, edges)
    for place, row in zip(places, rows, strict=True):
        enabled = place != places[-1]
        yield VideoBox(start + place, Rectangle.from_xyxy(row.tolist()), enabled)


def key_frames(values: Floats, tolerance: float, most: Floats) -> tuple[list[int], list[Floats]]:
    """Places and rows from which all `values` follow, evenly between, within the tolerance.

    `values` of shape (n, k), which like the rows lie from 0 to `most` (k,). From a key frame on,
    the ways that stay near enough to what comes are narrowed until there is none (the swing
    filter of Elmeleegy and others, 2009): what was found trembles, and no key frame need be at
    a place that was found.
    """
    low, high = np.maximum(values - tolerance, 0.0), np.minimum(values + tolerance, most)
    places, rows = [0], [values[0]]
    while places[-1] < len(values) - 1:
        place, row = places[-1], rows[-1]
        slowest, fastest = np.full(row.shape, -np.inf), np.full(row.shape, np.inf)
        for end in range(place + 1, len(values)):
            slower = np.maximum(slowest, (low[end] - row) / (end - place))
            faster = np.minimum(fastest, (high[end] - row) / (end - place))
            if (slower > faster).any():
                end -= 1
                break
            slowest, fastest = slower, faster
        steps = np.arange(1, end - place + 1)[:, None]
        fit = ((values[place + 1 : end + 1] - row) * steps).sum(axis=0) / (steps**2).sum()
        places.append(end)
        rows.append(row + np.clip(fit, slowest, fastest) * (end - place))
    return places, rows
