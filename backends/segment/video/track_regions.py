"""Followed objects as regions: the key frames of the drawn track, and those that were found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends._video.keyframes import Floats, choose_tolerance, draw_keyframes
from backends.segment.video.drawn_tracks import DrawnTrack
from backends.segment.video.following import FollowedObject, FollowedWay
from shared.results import Omission, Region, Video, VideoBox, VideoTrack, region


@dataclass(frozen=True, eq=False)
class FollowedTrack:
    """A drawn track, and what was found on each way that leads from its first frame."""

    drawn: DrawnTrack
    ways: Sequence[tuple[FollowedWay, FollowedObject]]

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to follow."""
        return all(found.is_finished for _, found in self.ways)


def build_track_region(followed: FollowedTrack, video: Video) -> Region | Omission:
    """Return the drawn region with all of its key frames, or why there is none.

    It keeps the id, labels and further answers of the drawn one, so that the editor replaces that.
    """
    drawn = followed.drawn
    start = drawn.frames.start
    found = [part for part in _parts(followed, video) if part is not None]
    if not found:
        return Omission(
            "not_followed",
            f'Nothing is found in the box of region "{drawn.region.id}" at frame {start + 1}:'
            " draw it around one object",
        )
    first, boxes = _join(found, start, drawn)
    limits = np.array([*video.size] * 2, np.float64)
    margin = choose_tolerance(drawn.options.tolerance, max(video.size))
    new = list(draw_keyframes(first, boxes, margin, limits))
    scores = [score for _, one in followed.ways for score in one.scores]
    parsed = drawn.region
    keys = {key: value for key, value in parsed.region_keys.items() if key != "origin"}
    shape = VideoTrack(_with_drawn(new, drawn, followed.is_finished))
    keys |= {"id": parsed.id} if parsed.id else {}
    return region(shape, parsed.values, video, float(np.mean(scores)), **keys)


def _parts(followed: FollowedTrack, video: Video) -> Iterator[tuple[int, Floats] | None]:
    """Yield the first frame and the box on each frame of the editor, of each way."""
    for way, found in followed.ways:
        yield _boxes_by_frame(way, found, video) if found.times else None


def _boxes_by_frame(
    way: FollowedWay, found: FollowedObject, video: Video
) -> tuple[int, Floats] | None:
    """Return the first frame of the editor on which an object is seen, and its box on each."""
    order = np.argsort(found.times)
    times, boxes = np.array(found.times)[order], np.array(found.boxes, np.float64)[order]
    passed = np.sort(np.array(way.frame_times))
    frames = np.arange(video.frames)
    at = frames / video.fps + 1e-3  # as in `Video.file_frames`
    shown = passed[np.maximum(np.searchsorted(passed, at, side="right") - 1, 0)]
    last_shown = passed[-1] + max(_longest_step(passed), 1 / video.fps)
    is_seen = (at >= passed[0]) & (at <= last_shown) & (shown >= times[0]) & (shown <= times[-1])
    seen = frames[is_seen]
    if not len(seen):
        return None
    edges = [np.interp(shown[seen], times, boxes[:, edge]) for edge in range(4)]
    return int(seen[0]), np.clip(np.stack(edges, axis=1), 0, [*video.size] * 2)


def _longest_step(times: Floats) -> float:
    return float(np.diff(times).max()) if len(times) > 1 else 0.0


def _join(parts: Sequence[tuple[int, Floats]], start: int, drawn: DrawnTrack) -> tuple[int, Floats]:
    """Return the first frame and all boxes of ways that meet at the start, where one is drawn."""
    by_frame: dict[int, Any] = {}
    for first, boxes in parts:
        by_frame |= {first + place: row for place, row in enumerate(boxes)}
    box = drawn.box
    by_frame[start] = np.array([box.left, box.top, box.right, box.bottom])
    frames = sorted(frame for frame in by_frame if drawn.frames.first <= frame <= drawn.frames.last)
    return frames[0], np.stack([by_frame[frame] for frame in frames])


def _with_drawn(new: list[VideoBox], drawn: DrawnTrack, is_finished: bool) -> Sequence[VideoBox]:
    """Return the key frames that were found, between those that were drawn before and after them.

    A track that is not finished goes on after its last key frame, and so is followed from there
    when it is sent again.
    """
    first, last = new[0].frame, new[-1].frame
    before = [box for box in drawn.boxes if box.frame < first]
    after = [box for box in drawn.boxes if box.frame > max(last, drawn.frames.last)]
    if after or not is_finished:
        new[-1] = new[-1]._replace(enabled=True)
    return [*before, *new, *after]
