"""Objects followed from frame to frame by Ultralytics' trackers."""

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
    """One object: at which of the findings it is, its box in each, and how sure each class is.

    `numbers` count the findings from 0, `boxes` are left, top, right, bottom in pixels,
    `scores` lie from 0 to 1, `classes` sums them by class.
    """

    numbers: list[int] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    classes: dict[str, float] = field(default_factory=dict)

    def add(self, number: int, found: Detections, index: int) -> None:
        """The object is what was found there."""
        name, score = found.name(index), float(found.scores[index])
        self.numbers.append(number)
        self.boxes.append(found.boxes[index])
        self.scores.append(score)
        self.classes[name] = self.classes.get(name, 0.0) + score


def follow(
    founds: Iterable[Detections],
    kind: str,
    parameters: Mapping[str, Any],
    motion: Floats | None = None,
    classes: Sequence[str] = (),
    least: float = 0.0,
) -> list[Track]:
    """The tracks through what was found on frame after frame, in the order of their begin.

    `kind` is botsort or bytetrack, `parameters` what is other than Ultralytics has it, `motion`
    (m, 2, 3) the camera's. Only objects of `classes`, if there are any, and of at least the
    score `least` are followed. The tracker is made anew each time: nothing of one video is left
    for the next, nor for one that is followed meanwhile.

    A track begins where its object was first found, although a tracker confirms it only when
    it is found again; its boxes are those that were found, not a filter's, which come late.
    """
    tracker = _tracker(kind, parameters, motion)
    blank = np.zeros((1, 1, 3), np.uint8)
    tracks: dict[int, tuple[Any, Track]] = {}
    for number, found in enumerate(founds):
        kept = _kept(found, classes, least)
        tracker.update(_boxes(found, kept), blank)
        for state in tracker.tracked_stracks:
            if state.frame_id == tracker.frame_id:
                _, track = tracks.setdefault(id(state), (state, Track()))
                track.add(number, found, int(kept[int(state.idx)]))
    return [track for state, track in tracks.values() if state.is_activated]


def _kept(found: Detections, classes: Sequence[str], least: float) -> NDArray[np.int64]:
    """The objects that may be followed."""
    sure = np.flatnonzero(found.scores >= least).tolist()
    named = [index for index in sure if not classes or found.name(index) in classes]
    return np.array(named, np.int64)


def _boxes(found: Detections, kept: NDArray[np.int64]) -> Any:
    """As a tracker takes them."""
    from ultralytics.engine.results import Boxes

    rows = np.column_stack([found.boxes[kept], found.scores[kept], found.classes[kept]])
    return Boxes(rows.astype(np.float32).reshape(-1, 6), (found.size.height, found.size.width))


def _tracker(kind: str, parameters: Mapping[str, Any], motion: Floats | None) -> Any:
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import IterableSimpleNamespace

    settings = {**_defaults(kind), **parameters, "with_reid": False}
    tracker = TRACKER_MAP[kind](args=IterableSimpleNamespace(**settings))
    if hasattr(tracker, "gmc"):
        tracker.gmc = _Moved(iter(motion)) if motion is not None else _Moved(iter(()))
    _own_numbers(tracker)
    return tracker


@cache
def _defaults(kind: str) -> Mapping[str, Any]:
    """Ultralytics' own settings of a tracker."""
    from ultralytics.utils import ROOT, YAML

    found: Mapping[str, Any] = YAML.load(ROOT / "cfg" / "trackers" / f"{kind}.yaml")
    return found


def _own_numbers(tracker: Any) -> None:
    """Number the tracks of this tracker alone.

    Before 8.4.190, Ultralytics counts in one place for all of them, and each new tracker begins
    it again: two videos at a time would mix up their tracks.
    """
    numbers, start = count(1), tracker.init_track

    def init_track(*args: Any, **kwargs: Any) -> Any:
        states = start(*args, **kwargs)
        for state in states:
            state.next_id = numbers.__next__
        return states

    tracker.init_track = init_track


class _Moved:
    """Stands for a tracker's own look at the camera's motion, which was found before."""

    method = "found before"

    def __init__(self, motion: Iterator[Floats]) -> None:
        self._motion = motion

    def apply(self, *args: Any) -> Floats:
        """The motion to the next frame."""
        return next(self._motion, np.eye(2, 3))

    def reset_params(self) -> None:
        """Nothing is kept."""
