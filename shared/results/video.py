"""Regions on videos: tracks of boxes, and spans of frames.

Frames are counted from 0 here, as decoders do; the editor counts from 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.label_studio.variables import resolve_variables
from shared.media.image_size import ImageSize
from shared.media.video import VideoFile
from shared.results.image import Rectangle

Value = tuple[dict[str, Any], dict[str, Any]]

# The editor's frame rate for a Video tag without `frameRate`.
DEFAULT_FPS = 24.0


class Video(NamedTuple):
    """A video: its frames' size in pixels, their number and their rate per second.

    Frames are the editor's, which are as many a second as the Video tag's `frameRate`, whatever
    the file has. `duration`, in seconds, is what the browser says; None: that of the frames.
    """

    size: ImageSize
    frames: int
    fps: float = DEFAULT_FPS
    duration: float | None = None

    @classmethod
    def of_file(cls, file: VideoFile, target: ObjectTag, task: Task) -> "Video":
        """Return a video file as the editor counts it, by the Video tag's `frameRate`.

        DecodeError if the editor would show more frames than MAX_VIDEO_FRAMES.
        """
        rate = frame_rate(target, task)
        frames = max(math.floor(file.duration * rate + 0.5), 1)
        file.limits.check(file.size, frames)
        return cls(file.size, frames, rate, file.duration)

    def frame_seconds(self, frame: int) -> float:
        """The time of a frame counted from 1, as the editor writes it."""
        return round(frame / self.fps, 6) if self.fps else 0.0

    def file_frames(self, times: Sequence[float]) -> NDArray[np.int64]:
        """Return for each of the editor's frames, from 0, the file's frame that is shown there.

        `times` are those of the file's frames, in seconds from the first. A browser shows the
        last frame whose time has come, to the millisecond, which is as precisely as WebM keeps
        it. After the last one (where the sound goes on) it is -1.
        """
        at = np.arange(self.frames) / self.fps
        found = np.searchsorted(times, at + 1e-3, side="right") - 1
        step = (times[-1] - times[0]) / max(len(times) - 1, 1)
        found[at > times[-1] + max(step, 1 / self.fps)] = -1
        return found.astype(np.int64)


def frame_rate(target: ObjectTag, task: Task) -> float:
    """Return the editor's frames per second: `frameRate`, a number or `$key` of the task's data.

    Read as the editor does (tags/object/Video/Video.js): 24 if it is none, and a number below 1
    is the length of a frame.
    """
    said = resolve_variables(target.attrs.get("frameRate", ""), task.data)
    try:
        rate = float(said)
    except (TypeError, ValueError):
        return DEFAULT_FPS
    if not math.isfinite(rate) or rate <= 0:
        return DEFAULT_FPS
    return 1 / rate if rate < 1 else rate


class VideoBox(NamedTuple):
    """Where a track is at a frame, in pixels; after it ends (`enabled` false) nothing is shown.

    Between two boxes the editor draws what lies between them.
    """

    frame: int
    box: Rectangle
    enabled: bool = True


@dataclass(frozen=True)
class VideoTrack:
    """One object through a video (VideoRectangle), its boxes in any order."""

    boxes: Sequence[VideoBox]

    def to_value(self, on: Video) -> Value:
        """As `sequence`, ascending, with `framesCount` and `duration`."""
        boxes = sorted(self.boxes, key=lambda box: box.frame)
        value = {
            "framesCount": on.frames,
            "duration": on.frame_seconds(on.frames)
            if on.duration is None
            else round(on.duration, 6),
            "sequence": [_keyframe_value(box, on) for box in boxes],
        }
        return value, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: Video) -> "VideoTrack":
        """From a result's `value`."""
        return cls(
            [
                VideoBox(
                    int(keyframe["frame"]) - 1,
                    Rectangle.from_value(keyframe, on.size),
                    bool(keyframe.get("enabled", True)),
                )
                for keyframe in value["sequence"]
            ]
        )


def _keyframe_value(keyframe: VideoBox, on: Video) -> dict[str, Any]:
    place, _ = keyframe.box.to_value(on.size)
    frame = int(keyframe.frame) + 1
    return {"frame": frame, "enabled": keyframe.enabled, "time": on.frame_seconds(frame), **place}


@dataclass(frozen=True)
class TimelineSpan:
    """Frames `start` to `end` (exclusive) of a video (TimelineLabels)."""

    start: int
    end: int

    def to_value(self, on: Video | None = None) -> Value:
        """As `ranges` of frames counted from 1, the last one included; clipped to the video."""
        start, end = max(int(self.start), 0), int(self.end)
        if on is not None:
            end = min(end, on.frames)
        return {"ranges": [{"start": start + 1, "end": end}]}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: Video | None = None) -> "TimelineSpan":
        """From a result's `value`: its first range, the only one that the editor edits."""
        first = value["ranges"][0]
        return cls(int(first["start"]) - 1, int(first["end"]))
