"""Which frames an object is followed over, as an event of the editor says."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backends.segment.prompts import ObjectPrompt
from backends.segment.video import event_prompts
from backends.segment.video.following import Way
from shared.media.video import VideoFile


class SessionPlan(NamedTuple):
    """The ways from the frame that the user sees, and how many frames they have together."""

    ways: Sequence[Way]
    total: int


def plan_session(context: Mapping[str, Any], file: VideoFile, prompt: ObjectPrompt) -> SessionPlan:
    """Return what `frame` or `time_ms`, `direction` and the limits of a context ask for.

    TaskError names what is wrong with one of them.
    """
    direction = event_prompts.read_direction(context)
    start = event_prompts.read_seconds(context, file)
    limit = event_prompts.read_limit_seconds(context, file)
    last = max(file.duration - 1 / file.fps, 0.0)
    ways: list[Way] = []
    if direction != "backward":
        ways.append(Way(start, min(last, start + limit), (prompt,)))
    if direction != "forward":
        ways.append(Way(start, max(0.0, start - limit), (prompt,), is_backwards=True))
    first = event_prompts.frame_number(start, file)
    frames = sum(abs(event_prompts.frame_number(way.end, file) - first) for way in ways)
    return SessionPlan(ways, frames + 1)
