"""What an event of the editor says: what is clicked, on which frame, and how far to follow it."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from backends.segment.prompts import Box, ObjectPrompt, Point
from backends.segment.video.drawn_tracks import DIRECTIONS, Direction
from shared.errors import TaskError
from shared.media.video import VideoFile
from shared.results import ImageSize

# Prompts of one object.
MAX_PROMPTS = 256


def read_prompt(context: Mapping[str, Any], size: ImageSize) -> ObjectPrompt | None:
    """Return the clicks and the box of `result`, in pixels; None if nothing says where it is.

    Places are in percent. A click is negative by `positive` in its value, as the protocol has it,
    or by `is_positive` beside it, as results have it. Of several boxes the last one counts.
    """
    drawn = context.get("result") or ()
    if not isinstance(drawn, list | tuple):
        raise TaskError(f"context.result should be a list, found {type(drawn).__name__}")
    if len(drawn) > MAX_PROMPTS:
        raise TaskError(f"{len(drawn)} prompts are sent, expected at most {MAX_PROMPTS}")
    points: list[Point] = []
    box = None
    for one in drawn:
        value = one.get("value") if isinstance(one, Mapping) else None
        if not isinstance(value, Mapping):
            raise TaskError('An entry of context.result has no "value" that is an object')
        if "height" in value:
            box = _read_box(value, size)
        else:
            points.append(_read_point(value, one, size))
    prompt = ObjectPrompt(tuple(points), box)
    return None if prompt.is_empty else prompt


def _read_point(value: Mapping[str, Any], one: Mapping[str, Any], size: ImageSize) -> Point:
    x, y = read_number(value, "x"), read_number(value, "y")
    if not (0 <= x <= 100 and 0 <= y <= 100):
        raise TaskError(f"A click at x = {x:g}, y = {y:g} % is outside of the frame")
    is_positive = value.get("positive", one.get("is_positive", True)) is not False
    across = min(x * size.width / 100, size.width - 0.5)
    return Point(across, min(y * size.height / 100, size.height - 0.5), is_positive)


def _read_box(value: Mapping[str, Any], size: ImageSize) -> Box:
    x, y, width, height = (read_number(value, key) for key in ("x", "y", "width", "height"))
    left, right = (min(max(place, 0.0), 100.0) * size.width / 100 for place in (x, x + width))
    top, bottom = (min(max(place, 0.0), 100.0) * size.height / 100 for place in (y, y + height))
    if right - left < 1 or bottom - top < 1:
        raise TaskError(
            f"The box has {right - left:.1f} × {bottom - top:.1f} pixels inside the frame of"
            f" {size.width} × {size.height}: draw it around the object"
        )
    return Box(left, top, right, bottom)


def read_seconds(context: Mapping[str, Any], file: VideoFile) -> float:
    """Return the time of the frame that the user sees: `time_ms`, or else `frame` from 1 on.

    It is at most that of the last frame.
    """
    if context.get("time_ms") is not None:
        seconds = read_number(context, "time_ms") / 1000
    else:
        seconds = (read_number(context, "frame", 1) - 1) / file.fps
    last = max(file.duration - 1 / file.fps, 0.0)
    return min(max(seconds, 0.0), last)


def frame_number(seconds: float, file: VideoFile) -> int:
    """Return the number from 0 of the frame that is shown at a time.

    Rounded down: half a frame later the same frame is still on the screen.
    """
    return math.floor(seconds * file.fps + 0.01)


def read_direction(
    context: Mapping[str, Any], known: Sequence[Direction] = DIRECTIONS
) -> Direction:
    """Return `direction`, forward if it is not said."""
    wanted = context.get("direction") or DIRECTIONS[0]
    if wanted not in known:
        raise TaskError(f"context.direction should be {', '.join(known)}, found {wanted!r}")
    return cast(Direction, wanted)


def read_limit_seconds(context: Mapping[str, Any], file: VideoFile) -> float:
    """Return for how long an object is to be followed: all of the video if that is not said."""
    if context.get("max_duration_ms") is not None:
        limit = read_number(context, "max_duration_ms") / 1000
    elif context.get("max_frames") is not None:
        limit = read_number(context, "max_frames") / file.fps
    else:
        return file.duration
    if limit < 0:
        raise TaskError("context.max_frames and max_duration_ms should not be negative")
    return min(limit, file.duration)


def read_number(values: Mapping[str, Any], key: str, default: float | None = None) -> float:
    """Return a finite number; TaskError if there is none under the key, and no default."""
    value = values.get(key)
    found = default if value is None else value
    if isinstance(found, int | float) and not isinstance(found, bool):
        with suppress(OverflowError):  # a whole number may have any number of digits
            if math.isfinite(found):
                return float(found)
    raise TaskError(f'"{key}" should be a number, found {found!r}'[:200])
