"""Which of the boxes that are drawn on a video are to be followed, and from which frame.

The editor sends all tracks of one label. Of each, the key frames say what is asked:

- the last one is enabled: the object is followed on from there, and what lies before is kept;
- the box is the same up to a last one that is not enabled: it is followed up to that frame;
- otherwise the track ends where its last key frame says, and is left as it is.

So a box that has just been drawn is followed, and a track that is finished is not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from backends.segment.prompts import Box
from shared.backend import Context, Control, LabelConfig, ObjectTag
from shared.errors import ConfigError, TaskError
from shared.results import ImageSize, Omission, ParsedRegion, Rectangle, Video, VideoBox, VideoTrack
from shared.results.parse import BrokenRegion, parse_each_region

Direction: TypeAlias = Literal["forward", "backward", "both"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward", "both")
# Tracks that are followed at once.
MAX_TRACKS = 32


class FrameRange(NamedTuple):
    """Where an object is followed: from a frame of the editor, counted from 0, to the others."""

    start: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class DrawnTrack:
    """An object to be followed: `box` is where it is on the first frame of its range, in pixels.

    `boxes` are all key frames of the region that is drawn, `control` its VideoRectangle.
    """

    control: Control
    options: "TrackOptions"
    region: ParsedRegion
    boxes: Sequence[VideoBox]
    box: Box
    frames: FrameRange


@dataclass(frozen=True)
class TrackOptions:
    """What a VideoRectangle asks for.

    `max_frames` are those of the editor that an object is followed over, 0 for all; of
    `frame_step` frames of the video one is looked at; boxes between key frames may be off by
    `tolerance` pixels, by the video's size if it is negative.
    """

    direction: Direction
    max_frames: int
    frame_step: int
    tolerance: float

    @classmethod
    def read(cls, control: Control) -> "TrackOptions":
        """Return what a control tag's attributes ask for; ConfigError if one is invalid."""
        wanted = control.attrs.get("model_direction", "").strip() or DIRECTIONS[0]
        direction = next((one for one in DIRECTIONS if one == wanted), None)
        if direction is None:
            raise ConfigError(
                f'{control}: model_direction="{wanted}" should be {", ".join(DIRECTIONS)}',
                control.name,
            )
        return cls(
            direction,
            int(control.get_number("model_max_frames", 0, low=0, high=1_000_000)),
            int(control.get_number("model_frame_step", 1, low=1, high=1000)),
            control.get_number("model_tolerance", -1, low=0, high=1000),
        )


class DrawnTracks(NamedTuple):
    """What is to be followed, and what cannot be, with the reason."""

    tracks: tuple[DrawnTrack, ...]
    omissions: tuple[Omission, ...]


def read_drawn_tracks(
    context: Context, config: LabelConfig, target: ObjectTag, video: Video
) -> DrawnTracks:
    """Return the tracks to be followed on an object tag; TaskError if the context is no context."""
    tracks, omissions = [], []
    for region in _read_regions(context, config, target, video):
        try:
            found = _read_track(region, video)
        except TaskError as error:
            omissions.append(Omission("not_followed", str(error)))
            continue
        if found is not None:
            tracks.append(found)
    if len(tracks) > MAX_TRACKS:
        raise TaskError(f"{len(tracks)} boxes are to be followed, expected at most {MAX_TRACKS}")
    return DrawnTracks(tuple(tracks), tuple(omissions))


def _read_regions(
    context: Context, config: LabelConfig, target: ObjectTag, video: Video
) -> Iterator[ParsedRegion | BrokenRegion]:
    drawn = context.get("result") or ()
    if not isinstance(drawn, list | tuple) or not all(isinstance(one, Mapping) for one in drawn):
        raise TaskError(f"context.result should be a list of regions, found {_kind_of(drawn)}")
    for region in parse_each_region(drawn, config, {target.name: video}):
        control = region.control if isinstance(region, BrokenRegion) else next(iter(region.values))
        if control.to_name == target.name and control.tag == "VideoRectangle":
            yield region


def _kind_of(drawn: Any) -> str:
    return "entries of other kinds" if isinstance(drawn, list | tuple) else type(drawn).__name__


def _read_track(region: ParsedRegion | BrokenRegion, video: Video) -> DrawnTrack | None:
    """Return the track that a region asks for; None for none, TaskError if it cannot be read."""
    if isinstance(region, BrokenRegion):
        raise TaskError(f'The drawn region "{region.id}" cannot be read: {region.reason}')
    if not isinstance(region.shape, VideoTrack):
        return None
    boxes = sorted(region.shape.boxes, key=lambda box: box.frame)
    if not boxes:
        raise TaskError(f'The drawn region "{region.id}" has no key frame')
    start, last = _asked_frames(boxes)
    if start is None:
        return None
    control = next(iter(region.values))
    options = TrackOptions.read(control)
    if options.direction == "backward":
        start = boxes[0]
    box = _visible_box(start.box, video.size, f'Frame {start.frame + 1} of region "{region.id}"')
    if not 0 <= start.frame < video.frames:
        raise TaskError(
            f'Region "{region.id}" begins at frame {start.frame + 1}, and the video has'
            f" {video.frames}"
        )
    frames = _frame_range(start.frame, last, video, options)
    return DrawnTrack(control, options, region, boxes, box, frames)


def _asked_frames(boxes: Sequence[VideoBox]) -> tuple[VideoBox | None, int | None]:
    """Return the key frame to follow from, None for none; and the frame to end at, if given."""
    last = boxes[-1]
    if last.enabled:
        return last, None
    before = boxes[-2] if len(boxes) > 1 else None
    if before is not None and before.enabled and _are_equal(before.box, last.box):
        return before, last.frame
    return None, None


def _are_equal(one: Rectangle, other: Rectangle) -> bool:
    edges = zip((one.x, one.y, one.width, one.height), _edges_of(other), strict=True)
    return all(abs(here - there) < 1e-3 for here, there in edges)


def _edges_of(box: Rectangle) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def _frame_range(start: int, last: int | None, video: Video, options: TrackOptions) -> FrameRange:
    most = options.max_frames or video.frames
    is_forward, is_backward = options.direction != "backward", options.direction != "forward"
    end = min(video.frames - 1, start + most if last is None else last)
    return FrameRange(
        start, max(0, start - most) if is_backward else start, end if is_forward else start
    )


def _visible_box(drawn: Rectangle, size: ImageSize, name: str) -> Box:
    """Return the upright box around a drawn one, inside the frame; TaskError if it has no area."""
    corners = drawn.corners()
    if not all(math.isfinite(place) for corner in corners for place in corner):
        raise TaskError(f"{name} has a box with a place that is no number")
    xs, ys = zip(*corners, strict=True)
    left, right = (min(max(x, 0.0), float(size.width)) for x in (min(xs), max(xs)))
    top, bottom = (min(max(y, 0.0), float(size.height)) for y in (min(ys), max(ys)))
    if right - left < 1 or bottom - top < 1:
        raise TaskError(
            f"{name} has a box of {right - left:.1f} × {bottom - top:.1f} pixels inside the frame"
            f" of {size.width} × {size.height}: draw it around the object"
        )
    return Box(left, top, right, bottom)
