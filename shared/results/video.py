"""Regions on videos: tracks of boxes, and spans of frames.

Frames count from 0 here, as in decoders; in results they count from 1, as in the editor.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.label_studio.variables import resolve_variables
from shared.media.image_size import ImageSize
from shared.results.image import Rectangle
from shared.results.types import ShapeValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.media.video import VideoFile

# The editor's frame rate for a Video tag without `frameRate`.
DEFAULT_FPS = 24.0


class Video(NamedTuple):
    """A video as the editor counts it: frame size in pixels, number of frames, frames per second.

    The editor shows as many frames a second as the Video tag's `frameRate`, whatever the file
    has. `duration` is the browser's, in seconds; None stands for that of the frames.
    """

    size: ImageSize
    frames: int
    fps: float = DEFAULT_FPS
    duration: float | None = None

    @classmethod
    def of_file(cls, file: "VideoFile", target: ObjectTag, task: Task) -> "Video":
        """Return a video file as the editor counts it, by the Video tag's `frameRate`.

        DecodeError if the editor would show more frames than MAX_VIDEO_FRAMES.
        """
        return cls.at_rate(file, frame_rate(target, task))

    @classmethod
    def at_rate(cls, file: "VideoFile", fps: float) -> "Video":
        """Return a video file at a frame rate; DecodeError as `of_file` raises it."""
        frames = max(math.floor(file.duration * fps + 0.5), 1)
        file.limits.check(file.size, frames)
        return cls(file.size, frames, fps, file.duration)

    def frame_seconds(self, frame: int) -> float:
        """Return the time that the editor writes for a frame, which is counted from 1."""
        return round(frame / self.fps, 6) if self.fps else 0.0

    def file_frames(self, times: Sequence[float]) -> "NDArray[np.int64]":
        """Return for each of the editor's frames, from 0, the file's frame that is shown there.

        `times` are those of the file's frames, in seconds from the first one. A browser shows the
        last frame whose time has come; the tolerance is the millisecond to which WebM rounds. -1
        stands for frames after the file's last one, where only sound is left.
        """
        import numpy as np

        at = np.arange(self.frames) / self.fps
        found = np.searchsorted(times, at + 1e-3, side="right") - 1
        step = (times[-1] - times[0]) / max(len(times) - 1, 1)
        found[at > times[-1] + max(step, 1 / self.fps)] = -1
        return found.astype(np.int64)


def frame_rate(target: ObjectTag, task: Task) -> float:
    """Return the editor's frames per second: `frameRate`, a number or `$key` of the task's data.

    As in the editor (tags/object/Video/Video.js), 24 stands for a missing or invalid value, and a
    number below 1 is the length of a frame in seconds.
    """
    value = resolve_variables(target.attrs.get("frameRate", ""), task.data)
    try:
        rate = float(value)
    except (TypeError, ValueError):
        return DEFAULT_FPS
    if not math.isfinite(rate) or rate <= 0:
        return DEFAULT_FPS
    return 1 / rate if rate < 1 else rate


class VideoBox(NamedTuple):
    """A key frame of a track: its box in pixels at a frame, which is counted from 0.

    The editor interpolates between two boxes. After one that is not `enabled` it shows nothing.
    """

    frame: int
    box: Rectangle
    enabled: bool = True


@dataclass(frozen=True)
class VideoTrack:
    """One object's boxes through a video (VideoRectangle), in any order."""

    boxes: Sequence[VideoBox]

    def to_value(self, video: Video) -> ShapeValue:
        """Return `sequence`, boxes in percent by ascending frame, `framesCount` and `duration`."""
        boxes = sorted(self.boxes, key=lambda box: box.frame)
        duration = video.duration
        value = {
            "framesCount": video.frames,
            "duration": video.frame_seconds(video.frames)
            if duration is None
            else round(duration, 6),
            "sequence": [_keyframe_value(box, video) for box in boxes],
        }
        return value, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], video: Video) -> "VideoTrack":
        """Read the track of a result's `value`."""
        return cls(
            [
                VideoBox(
                    int(keyframe["frame"]) - 1,
                    Rectangle.from_value(keyframe, video.size),
                    bool(keyframe.get("enabled", True)),
                )
                for keyframe in value["sequence"]
            ]
        )


def _keyframe_value(keyframe: VideoBox, video: Video) -> dict[str, Any]:
    place, _ = keyframe.box.to_value(video.size)
    frame = int(keyframe.frame) + 1
    return {
        "frame": frame,
        "enabled": keyframe.enabled,
        "time": video.frame_seconds(frame),
        **place,
    }


@dataclass(frozen=True)
class TimelineSpan:
    """Frames `start` to `end` (exclusive) of a video (TimelineLabels)."""

    start: int
    end: int

    def to_value(self, video: Video | None = None) -> ShapeValue:
        """Return `ranges` of frames from 1, the last one included; clipped to the video."""
        start, end = max(int(self.start), 0), int(self.end)
        if video is not None:
            end = min(end, video.frames)
        return {"ranges": [{"start": start + 1, "end": end}]}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], video: Video | None = None) -> "TimelineSpan":
        """Read the first range of a result's `value`, the only one that the editor can change."""
        first = value["ranges"][0]
        return cls(int(first["start"]) - 1, int(first["end"]))
