"""Tracks and spans of frames, right and wrong ones: where the editor draws them, what is said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

FRAMES, FPS = 50, 25
CONFIG = f"""<View>
  <Labels name="label" toName="video"><Label value="Man"/></Labels>
  <Video name="video" value="$video" frameRate="{FPS}" timelineHeight="160"/>
  <VideoRectangle name="box" toName="video"/>
  <TimelineLabels name="when" toName="video"><Label value="Walk"/></TimelineLabels>
</View>"""


@dataclass(frozen=True)
class Row:
    """`drawn` is where the editor draws the box, in percent of the width, by frame; None: nowhere.

    Of spans `bars` are the frames that the timeline's bars go over.
    """

    value: Json
    drawn: Mapping[int, float | None] = field(default_factory=dict)
    bars: tuple[tuple[float, float], ...] = ()
    rule: str | None = None
    says: str = ""
    severity: str = "error"

    def result(self) -> Json:
        """As a prediction has it."""
        kind, name = (
            ("timelinelabels", "when") if "ranges" in self.value else ("videorectangle", "box")
        )
        return {"id": "r", "from_name": name, "to_name": "video", "type": kind, "value": self.value}


def key(frame: int, *without: str, **more: Any) -> Json:
    """A key frame, its box as far right as its number says."""
    box = {"frame": frame, "time": frame / FPS, "enabled": True, "rotation": 0, "x": frame, "y": 10}
    box |= {"width": 20, "height": 20, **more}
    return {name: part for name, part in box.items() if name not in without}


def track(*sequence: Json, **more: Any) -> Json:
    value = {"sequence": list(sequence), "labels": ["Man"], "framesCount": FRAMES, "duration": 2.0}
    return {name: part for name, part in {**value, **more}.items() if part is not None}


def spans(*ranges: tuple[int, int], **more: Any) -> Json:
    found = [{"start": start, "end": end} for start, end in ranges]
    return {"ranges": found, "timelinelabels": ["Walk"], **more}


ROWS = {
    "a track": Row(track(key(5), key(20)), {1: None, 5: 5, 12: 12, 20: 20, 50: 20}),
    "a track without a label": Row(track(key(5), labels=None), {1: None, 5: 5, 50: 5}),
    "without framesCount and duration": Row(
        track(key(5), key(20), framesCount=None, duration=None),
        {1: None, 5: 5, 12: 12, 50: 20},
        rule="missing_key",
        says='"framesCount" and "duration" are missing',
        severity="warning",
    ),
    "without framesCount": Row(
        track(key(5), framesCount=None),
        {5: 5},
        rule="missing_key",
        says='"framesCount" is missing',
        severity="warning",
    ),
    "from frame 0": Row(
        track(key(0), key(10)), {1: 1, 5: 5, 10: 10, 50: 10}, rule="frame", says="count from 1"
    ),
    "frame 0 alone": Row(track(key(0)), {1: 0, 50: 0}, rule="frame", says="keyframe 0: "),
    "to a frame past the end": Row(
        track(key(1), key(51)), {1: 1, 50: 50}, rule="past_the_end", says="(the video has 50"[1:]
    ),
    "past the end alone": Row(
        track(key(90)), {1: None, 50: None}, rule="past_the_end", says="never shows this box"
    ),
    "backwards": Row(
        track(key(20), key(5)),
        {5: None, 19: None, 20: 20, 21: 5, 50: 5},
        rule="frame",
        says="after 20",
    ),
    "one frame out of order": Row(
        track(key(5), key(30), key(15)),
        {5: 5, 15: 15, 30: 30, 31: 15, 50: 15},
        rule="frame",
        says="keyframe 2: ",
    ),
    "one frame twice": Row(
        track(key(5), key(20), key(20, x=60), key(40)),
        {20: 20, 30: 50, 40: 40},
        rule="frame",
        says='"frame" is 20 once more',
    ),
    "without enabled": Row(
        track(key(5, "enabled"), key(20, "enabled")),
        {5: 5, 6: None, 12: None, 20: 20, 21: None},
        rule="missing_key",
        says='"enabled" is missing: the editor shows this box on frame 5 alone',
    ),
    "without enabled at the end": Row(
        track(key(5), key(6, "enabled")),
        {5: 5, 6: 6, 7: None},
        rule="missing_key",
        says="on frame 6 alone",
        severity="warning",
    ),
    "without rotation": Row(
        track(key(5, "rotation"), key(20)),
        {5: 5, 12: None, 20: 20},
        rule="missing_key",
        says='"rotation" is missing: between',
    ),
    "without rotation in the next": Row(
        track(key(5), key(20, "rotation")), {12: None}, rule="missing_key", says="in the next one"
    ),
    "without rotation, frame by frame": Row(
        track(key(5, "rotation"), key(6, "rotation")), {5: 5, 6: 6, 50: 6}
    ),
    "without rotation, away in between": Row(
        track(key(5, "rotation", enabled=False), key(20, "rotation")), {5: 5, 12: None, 20: 20}
    ),
    "a span": Row(spans((5, 20)), bars=((5, 20),)),
    "two spans": Row(spans((5, 10), (20, 30)), bars=((5, 10), (20, 30))),
    "a span of one frame": Row(spans((5, 5)), bars=((5, 5),)),
    "a span from frame 0": Row(
        spans((0, 20)), bars=((0, 20),), rule="frame", says="starts at 0, but frames count from 1"
    ),
    "the second span from frame 0": Row(
        spans((5, 10), (0, 3)), bars=((5, 10), (0, 3)), rule="frame", says="range 1 starts at 0"
    ),
    "a span past the end": Row(
        spans((45, 60), framesCount=FRAMES),
        bars=((45, 60),),
        rule="past_the_end",
        says="ends at 60",
    ),
}
