"""Tracks frame by frame, as the editor draws them between their key frames."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.annotated_task import PERCENT_SIZE
from shared.evaluation.box_overlap import paired_box_iou
from shared.results import ParsedRegion, VideoTrack

# Results do not tell the size of a video. Only the turn of a box depends on it, and on nothing but
# the shape of a frame: most videos are this much wider than high.
ASSUMED_ASPECT = 16 / 9

# Frames of a track, 11 hours of them: bounds the memory.
MAX_TRACK_FRAMES = 1_000_000


class TrackFrames(NamedTuple):
    """The frames on which a track is shown, ascending, shape (n,), and its boxes there.

    `boxes` has shape (n, 5): left, top, width, height, clockwise turn about the first corner in
    degrees. Frames count from 0.
    """

    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]


def draw_tracks(*groups: Sequence[ParsedRegion]) -> list[list[TrackFrames]]:
    """Return the frames of each track of each group; all are on the same video.

    As in the editor (tags/object/Video, VideoRectangleRegion.getShape and isInLifespan), all
    numbers of a box move evenly between two key frames; nothing is shown before the first one and
    after one that is not enabled, which is shown itself. The last key frame's box, if enabled,
    stays to the end of the video: results do not keep it, so that it is the last key frame of all
    tracks here. ValueError for a key frame after MAX_TRACK_FRAMES.
    """
    last = max((box.frame for one in _flat(groups) for box in one.boxes), default=0)
    if last >= MAX_TRACK_FRAMES:
        raise ValueError(
            f"a track has a key frame at frame {last + 1}; videos have {MAX_TRACK_FRAMES} at most"
        )
    return [[_draw_track(region, last) for region in group] for group in groups]


def track_iou(
    predicted: Sequence[ParsedRegion], truth: Sequence[ParsedRegion]
) -> NDArray[np.float64]:
    """Return the mean IoU of each two tracks, shape (predicted, truth).

    The mean is over all frames on which one of the two is shown.
    """
    drawn, true_drawn = draw_tracks(predicted, truth)
    return np.array([[_mean_iou(one, other) for other in true_drawn] for one in drawn])


def _flat(groups: Any) -> list[VideoTrack]:
    return [region.shape for group in groups for region in group]


def _draw_track(region: ParsedRegion, last: int) -> TrackFrames:
    track = region.shape
    assert isinstance(track, VideoTrack)
    keys = {box.frame: box for box in sorted(track.boxes, key=lambda box: -box.frame)}
    boxes = [keys[frame] for frame in sorted(keys)]
    if not boxes:
        return TrackFrames(np.zeros(0, np.int64), np.zeros((0, 5)))
    at = np.array([box.frame for box in boxes], np.int64)
    enabled = np.array([box.enabled for box in boxes], bool)
    frames = np.arange(at[0], last + 1)
    before = np.searchsorted(at, frames, side="right") - 1
    shown = frames[enabled[before] | (at[before] == frames)]
    values = np.array([(*_xywh(box.box), box.box.rotation) for box in boxes], np.float64)
    values[:, (0, 2)] *= _stretch(region)
    drawn = np.stack([np.interp(shown, at, column) for column in values.T], axis=1)
    return TrackFrames(shown, drawn)


def _xywh(box: Any) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def _stretch(region: ParsedRegion) -> float:
    """Return by what x is to be multiplied, so that both axes have one unit."""
    size = getattr(region.source, "size", PERCENT_SIZE)
    return ASSUMED_ASPECT if size == PERCENT_SIZE else 1.0


def _mean_iou(predicted: TrackFrames, truth: TrackFrames) -> float:
    _, places, true_places = np.intersect1d(
        predicted.frames, truth.frames, assume_unique=True, return_indices=True
    )
    shown = len(predicted.frames) + len(truth.frames) - len(places)
    if not shown:
        return 0.0
    return float(paired_box_iou(predicted.boxes[places], truth.boxes[true_places]).sum() / shown)
