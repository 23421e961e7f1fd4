"""Follows objects through the frames of a video, as far as they are seen and time allows."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from backends.segment.prompts import ObjectPrompt
from backends.segment.video.frame_order import read_frames
from backends.segment.video.object_tracker import Edges, FoundObject, ObjectTracker
from shared.media.image import Pixels
from shared.media.video import Frame, VideoFile

# An object that is not seen on so many frames in a row is gone: its track ends where it was last
# seen.
MAX_UNSEEN_FRAMES = 5


@dataclass(frozen=True, eq=False)
class Way:
    """Objects that are followed together: from the frame shown at `start` to that at `end`.

    In seconds after the first frame; `end` lies before `start` where they are followed backwards.
    Of `frame_step` frames one is looked at.
    """

    start: float
    end: float
    prompts: Sequence[ObjectPrompt]
    frame_step: int = 1
    is_backwards: bool = False


@dataclass
class FollowedObject:
    """Where an object is: its boxes and scores at some times, in the order in which it was found.

    `is_finished` says that the track ends there: nothing is left to follow.
    """

    times: list[float] = field(default_factory=list)
    boxes: list[Edges] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    is_finished: bool = False
    is_begun: bool = False
    unseen_frames: int = 0

    def add(self, seconds: float, found: FoundObject | None) -> None:
        """Take note of a frame on which it is seen, or not, unless its track has ended."""
        self.is_begun = True
        if self.is_finished:
            return
        if found is None:
            self.unseen_frames += 1
            self.is_finished |= self.unseen_frames > MAX_UNSEEN_FRAMES or not self.times
            return
        self.unseen_frames = 0
        self.times.append(seconds)
        self.boxes.append(found.box)
        self.scores.append(found.score)


@dataclass(frozen=True, eq=False)
class FollowedWay:
    """The objects of a way, and the times of all frames that were passed, in their order."""

    objects: Sequence[FollowedObject]
    frame_times: list[float]


# Called after each frame that was looked at, with what was found there. It may raise.
OnFrame = Callable[[Frame, Sequence[FoundObject | None]], None]


def follow_way(
    file: VideoFile,
    tracker: ObjectTracker,
    way: Way,
    on_frame: OnFrame = lambda frame, found: None,
    until: float = float("inf"),
) -> FollowedWay:
    """Follow objects until the end of their way, or until none of them is seen any more.

    At `until`, by the monotonic clock, it ends with what there is: see `is_finished`.
    """
    objects = [FollowedObject() for _ in way.prompts]
    followed = FollowedWay(objects, [])
    for frame in _frames_on(file, way, followed.frame_times):
        found = _look_at(tracker, frame.decode().pixels, way.prompts, not objects[0].is_begun)
        for one, seen in zip(objects, found, strict=True):
            one.add(frame.time, seen)
        on_frame(frame, found)
        if all(one.is_finished for one in objects):
            break
        if time.monotonic() > until:
            return followed
    for one in objects:
        one.is_finished = True
    return followed


def _frames_on(file: VideoFile, way: Way, times: list[float]) -> Iterator[Frame]:
    """Yield the frames of a way that are looked at, and append the times of all of them."""
    with closing(read_frames(file, way.start, way.is_backwards)) as frames:
        for number, frame in enumerate(frames):
            if number and _is_past(frame.time, way):
                return
            times.append(frame.time)
            if number % way.frame_step == 0:
                yield frame


def _look_at(
    tracker: ObjectTracker, image: Pixels, prompts: Sequence[ObjectPrompt], is_first: bool
) -> Sequence[FoundObject | None]:
    return tracker.start(image, prompts) if is_first else tracker.follow(image)


def _is_past(seconds: float, way: Way) -> bool:
    return seconds < way.end - 1e-3 if way.is_backwards else seconds > way.end + 1e-3
