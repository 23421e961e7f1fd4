"""Tracks frame by frame, as the editor draws them between their key frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.annotated_task import PERCENT_SIZE
from shared.evaluation.similarity.boxes import paired_box_iou
from shared.results import ParsedRegion, Rectangle, VideoBox, VideoTrack

# Results do not tell the size of a video. Only the turn of a box depends on it, and on nothing but
# the shape of a frame: most videos are this much wider than high.
ASSUMED_ASPECT = 16 / 9

# Frames of a track, 11 hours of them: bounds the memory.
MAX_TRACK_FRAMES = 1_000_000


class TrackFrames(NamedTuple):
    """The frames on which a track is shown, ascending, shape (n,), and its boxes there.

    `boxes` has shape (n, 5): left, top, width, height, clockwise turn about the first corner in
    degrees. Frames count from 0. A unit of x is `aspect` units of y.
    """

    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]
    aspect: float


def draw_tracks(*groups: Sequence[ParsedRegion]) -> list[list[TrackFrames]]:
    """Return the frames of each track of each group; all are on the same video.

    The last key frame's box, if enabled, stays to the end of the video: results do not keep it, so
    that it is the last key frame of all tracks here. A track that is too long (see `is_too_long`)
    is on no frame.
    """
    drawn = [[() if is_too_long(one) else _boxes_of(one) for one in group] for group in groups]
    last = max((box.frame for group in drawn for boxes in group for box in boxes), default=0)
    return [
        [_draw_track(boxes, last, _aspect_of(one)) for boxes, one in zip(found, group, strict=True)]
        for found, group in zip(drawn, groups, strict=True)
    ]


def is_too_long(region: ParsedRegion) -> bool:
    """Return whether a track has a key frame after the MAX_TRACK_FRAMES first ones."""
    return any(abs(box.frame) >= MAX_TRACK_FRAMES for box in _boxes_of(region))


def track_iou(
    predicted: Sequence[ParsedRegion], truth: Sequence[ParsedRegion]
) -> NDArray[np.float64]:
    """Return the mean IoU of each two tracks, shape (predicted, truth).

    The mean is over all frames on which one of the two is shown.
    """
    drawn, true_drawn = draw_tracks(predicted, truth)
    return np.array([[_mean_iou(one, other) for other in true_drawn] for one in drawn])


def _boxes_of(region: ParsedRegion) -> Sequence[VideoBox]:
    if not isinstance(region.shape, VideoTrack):
        raise TypeError(f"{type(region.shape).__name__} is no track")
    return region.shape.boxes


def _draw_track(boxes: Sequence[VideoBox], last: int, aspect: float) -> TrackFrames:
    first = min((box.frame for box in boxes), default=last + 1)
    return TrackFrames(*interpolate_boxes(boxes, np.arange(first, last + 1)), aspect)


def interpolate_boxes(
    boxes: Sequence[VideoBox], frames: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return those of the frames on which a track is shown, and its boxes there, shape (n, 5).

    As in the editor (tags/object/Video, VideoRectangleRegion.getShape and isInLifespan), all
    numbers of a box move evenly between two key frames; nothing is shown before the first one and
    after one that is not enabled, which is shown itself. Of several at one frame the first counts.
    """
    by_frame = {box.frame: box for box in reversed(boxes)}
    keys = [by_frame[frame] for frame in sorted(by_frame)]
    if not keys:
        return np.zeros(0, np.int64), np.zeros((0, 5))
    at = np.array([key.frame for key in keys], np.int64)
    enabled = np.array([key.enabled for key in keys], bool)
    frames = frames[frames >= at[0]]
    before = np.searchsorted(at, frames, side="right") - 1
    is_shown = enabled[before] | (at[before] == frames)
    frames, before = frames[is_shown], before[is_shown]
    after = np.minimum(before + 1, len(keys) - 1)
    values = np.array([(*_xywh(key.box), key.box.rotation) for key in keys], np.float64)
    # in the editor's order of operations, so that boxes are equal to the last bit
    part = (frames - at[before]) / np.maximum(at[after] - at[before], 1)
    change = values[after] - values[before]
    change[:, 4] = (change[:, 4] + 180) % 360 - 180  # the editor turns boxes the shorter way
    return frames, values[before] + change * part[:, None]


def _xywh(box: Rectangle) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def _aspect_of(region: ParsedRegion) -> float:
    """Return how many units of y are a unit of x."""
    size = getattr(region.source, "size", PERCENT_SIZE)
    return ASSUMED_ASPECT if size == PERCENT_SIZE else 1.0


def _mean_iou(predicted: TrackFrames, truth: TrackFrames) -> float:
    _, places, true_places = np.intersect1d(
        predicted.frames, truth.frames, assume_unique=True, return_indices=True
    )
    shown = len(predicted.frames) + len(truth.frames) - len(places)
    if not shown:
        return 0.0
    boxes, true_boxes = predicted.boxes[places], truth.boxes[true_places]
    return float(paired_box_iou(boxes, true_boxes, truth.aspect).sum() / shown)
