"""Follows objects from frame to frame with Ultralytics' trackers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.detection.inputs.video import Floats
from backends.detection.model.detections import Detections


@dataclass
class Track:
    """One object through a video.

    `indices` are the sampled frames on which it was detected, counted from 0; `boxes` and
    `scores` are those of its detections there (left, top, right, bottom in pixels; 0 to 1);
    `class_scores` sums up the scores by class.
    """

    indices: list[int] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    class_scores: dict[str, float] = field(default_factory=dict)

    def append(self, index: int, detections: Detections, row: int) -> None:
        """Add the object's detection on a sampled frame: `row` of its detections."""
        name, score = detections.class_name(row), float(detections.scores[row])
        self.indices.append(index)
        self.boxes.append(detections.boxes[row])
        self.scores.append(score)
        self.class_scores[name] = self.class_scores.get(name, 0.0) + score


def track_objects(
    frames: Iterable[Detections],
    tracker_name: str,
    parameters: Mapping[str, Any],
    camera_motion: Floats | None = None,
    classes: Sequence[str] = (),
    min_score: float = 0.0,
) -> list[Track]:
    """Return the tracks through the detections on consecutive frames, in order of their start.

    `tracker_name` is botsort or bytetrack, `parameters` override Ultralytics' defaults,
    `camera_motion` has shape (m, 2, 3). Only objects of `classes`, if any are given, and with at
    least `min_score` are followed.

    A tracker confirms a track only when its object is detected a second time, but the track
    starts at the first time. Its boxes are the detected ones: those of the tracker's Kalman
    filter lag behind.
    """
    # A new tracker each time: its state must not leak into the next video, or into another that
    # is tracked at the same time.
    tracker = _create_tracker(tracker_name, parameters, camera_motion)
    blank = np.zeros((1, 1, 3), np.uint8)
    tracks: dict[int, tuple[Any, Track]] = {}
    for index, detections in enumerate(frames):
        rows = _select_objects(detections, classes, min_score)
        tracker.update(_ultralytics_boxes(detections, rows), blank)
        for state in tracker.tracked_stracks:
            if state.frame_id == tracker.frame_id:
                _, track = tracks.setdefault(id(state), (state, Track()))
                track.append(index, detections, int(rows[int(state.idx)]))
    return [track for state, track in tracks.values() if state.is_activated]


def _select_objects(
    detections: Detections, classes: Sequence[str], min_score: float
) -> NDArray[np.int64]:
    """Return the rows of the objects that may be followed."""
    rows = np.flatnonzero(detections.scores >= min_score).tolist()
    return np.array(
        [row for row in rows if not classes or detections.class_name(row) in classes], np.int64
    )


def _ultralytics_boxes(detections: Detections, rows: NDArray[np.int64]) -> Any:
    from ultralytics.engine.results import Boxes

    boxes, scores = detections.boxes[rows], detections.scores[rows]
    table = np.column_stack([boxes, scores, detections.classes[rows]])
    size = (detections.size.height, detections.size.width)
    return Boxes(table.astype(np.float32).reshape(-1, 6), size)


def _create_tracker(
    tracker_name: str, parameters: Mapping[str, Any], camera_motion: Floats | None
) -> Any:
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import IterableSimpleNamespace

    settings = {**_default_settings(tracker_name), **parameters, "with_reid": False}
    tracker = TRACKER_MAP[tracker_name](args=IterableSimpleNamespace(**settings))
    if hasattr(tracker, "gmc"):
        tracker.gmc = _KnownCameraMotion(iter(() if camera_motion is None else camera_motion))
    _number_tracks_locally(tracker)
    return tracker


@cache
def _default_settings(tracker_name: str) -> Mapping[str, Any]:
    from ultralytics.utils import ROOT, YAML

    settings: Mapping[str, Any] = YAML.load(ROOT / "cfg" / "trackers" / f"{tracker_name}.yaml")
    return settings


def _number_tracks_locally(tracker: Any) -> None:
    """Let this tracker count its own tracks.

    Before 8.4.190, Ultralytics has one counter for all trackers, which each new tracker resets:
    two videos at the same time would mix up their tracks.
    """
    numbers, init_track = count(1), tracker.init_track

    def init_numbered_track(*args: Any, **kwargs: Any) -> Any:
        states = init_track(*args, **kwargs)
        for state in states:
            state.next_id = numbers.__next__
        return states

    tracker.init_track = init_numbered_track


class _KnownCameraMotion:
    """Stands in for a tracker's own estimate: the motion was estimated with the detections."""

    method = "estimated before"

    def __init__(self, motion: Iterator[Floats]) -> None:
        self._motion = motion

    def apply(self, *args: Any) -> Floats:
        """Return the motion to the next frame."""
        return next(self._motion, np.eye(2, 3))

    def reset_params(self) -> None:
        """Do nothing: there is no state besides the iterator."""
