"""Checks the `value` of regions on videos.

What the editor makes of a track is in its regions/VideoRegion.js and VideoRectangleRegion.js: it
counts frames from 1, takes its number of them from the video itself, and reads the key frames as
they come.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.results.validation.finding import Problems, RuleViolation, Value, is_count, quote
from shared.results.validation.image_shapes import number_problems

FROM_1 = "frames count from 1"
SDK_REQUIRED_KEYS = ("framesCount", "duration")


def check_timeline(value: Value, result: Value) -> Problems:
    """Check `ranges` of frames."""
    ranges = value.get("ranges")
    if not isinstance(ranges, list | tuple) or not ranges:
        return [
            RuleViolation("missing_key", f'"ranges" is {quote(ranges)}, expected [{{start, end}}]')
        ]
    for place, found in enumerate(ranges):
        problem = _range_problem(place, found, value.get("framesCount"))
        if problem is not None:
            return [problem]
    return ()


def _range_problem(place: int, found: Any, count: Any) -> RuleViolation | None:
    start, end = (found.get("start"), found.get("end")) if isinstance(found, dict) else (None, None)
    if not is_count(start) or not is_count(end):
        what = f"range {place} is {quote(found)}, expected whole frame numbers start and end"
        return RuleViolation("frame", what)
    if start > end:
        return RuleViolation("empty_span", f"range {place} starts at {start} and ends at {end}")
    if start == 0:
        what = f"range {place} starts at 0, but {FROM_1}: the editor draws it from before the first"
        return RuleViolation("frame", what)
    if is_count(count) and end > count:
        what = f"range {place} ends at {end}, the video has {count} frames"
        return RuleViolation("past_the_end", f"{what}: the editor draws it past the timeline's end")
    return None


def check_video_track(value: Value, result: Value) -> Problems:
    """Check a `sequence` of boxes with ascending frames."""
    sequence = value.get("sequence")
    if not isinstance(sequence, list | tuple) or not sequence:
        return [
            RuleViolation("missing_key", f'"sequence" is {quote(sequence)}, expected keyframes')
        ]
    last = 0
    for place, box in enumerate(sequence):
        problems = (
            [*_keyframe_problems(box, last)]
            or [*_past_end_problems(box, value)]
            or [*_gap_problems(sequence, place)]
        )
        if problems:
            return [p._replace(message=f"keyframe {place}: {p.message}") for p in problems]
        last = box["frame"]
    return list(_sdk_key_problems(value))


def _keyframe_problems(box: Any, last: int) -> Iterator[RuleViolation]:
    if not isinstance(box, dict):
        yield RuleViolation("not_an_object", f"it is {quote(box)}, expected an object")
        return
    yield from _frame_problems(box.get("frame"), last)
    for key in ("x", "y"):
        yield from number_problems(box, key, -100, 200)
    for key in ("width", "height"):
        yield from number_problems(box, key, 0, 200, zero=False)
    if not isinstance(box.get("enabled", True), bool):
        what = f'"enabled" is {quote(box["enabled"])}, expected true or false'
        yield RuleViolation("not_a_boolean", what)


def _frame_problems(frame: Any, last: int) -> Iterator[RuleViolation]:
    if not is_count(frame):
        yield RuleViolation("frame", f'"frame" is {quote(frame)}, expected a whole number')
    elif frame == 0:
        what = f'"frame" is 0, but {FROM_1}: the editor begins at frame 1, on the way from this box'
        yield RuleViolation("frame", f"{what} to the next one")
    elif frame == last:
        what = f'"frame" is {frame} once more: the editor shows the first box of it on this frame'
        yield RuleViolation("frame", f"{what}, and goes on from the last")
    elif frame < last:
        what = f'"frame" is {frame} after {last}, expected them to ascend: the editor goes by the'
        yield RuleViolation(
            "frame", f"{what} order in the list, and shows another box there, or none"
        )


def _past_end_problems(box: Value, value: Value) -> Iterator[RuleViolation]:
    """Check for a key frame after the last frame."""
    frame, count = box["frame"], value.get("framesCount")
    if is_count(count) and 0 < count < frame:
        what = f'"frame" is {frame}, the video has {count} ("framesCount")'
        yield RuleViolation("past_the_end", f"{what}: the editor never shows this box")


def _gap_problems(sequence: Sequence[Any], place: int) -> Iterator[RuleViolation]:
    """Check what a key frame needs for the frames up to the next one, if there are any."""
    box, after = sequence[place], sequence[place + 1] if place + 1 < len(sequence) else None
    end = after.get("frame") if isinstance(after, dict) else None
    gap = is_count(end) and end > box["frame"] + 1
    if "enabled" not in box:
        what = f'"enabled" is missing: the editor shows this box on frame {box["frame"]} alone'
        yield RuleViolation("missing_key", what, "error" if gap else "warning")
    elif gap and box["enabled"] and after is not None and not _have_rotation(box, after):
        whose = "" if "rotation" not in box else " in the next one"
        what = f'"rotation" is missing{whose}: between the two the editor draws the box in a corner'
        yield RuleViolation("missing_key", what)


def _have_rotation(box: Value, after: Value) -> bool:
    return "rotation" in box and "rotation" in after


def _sdk_key_problems(value: Value) -> Iterator[RuleViolation]:
    missing = [key for key in SDK_REQUIRED_KEYS if value.get(key) is None]
    if missing:
        what = f"{' and '.join(map(quote, missing))} {'are' if len(missing) > 1 else 'is'} missing"
        what += ": the editor goes by the video itself, but Label Studio's SDK refuses the track"
        yield RuleViolation("missing_key", what, "warning")
