"""Videos, as small gray frames."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.backend import DecodeError, MediaReader, ObjectTag, Pixels, Task
from shared.results import Video

# Longer side of a frame. An hour of 25 frames per second then takes 200 to 370 MB of memory.
SIDE_PIXELS = 64


@dataclass(frozen=True, eq=False)
class Clip:
    """A video: uint8 of shape (frames, height, width).

    Frame n is the one that the editor shows as frame n, counted from 0: its frame rate is that of
    the Video tag, not of the file.
    """

    frames: NDArray[np.uint8]
    video: Video

    @classmethod
    def read(cls, task: Task, target: ObjectTag, media: MediaReader) -> "Clip":
        """Read a task's video; DecodeError if it is over MAX_MEGAPIXELS or MAX_VIDEO_FRAMES."""
        file = media.read_video(task.text_value(target), task.id)
        video = Video.of_file(file, target, task)
        scale = min(1.0, SIDE_PIXELS / max(file.size))
        times: list[float] = []
        frames: list[NDArray[np.uint8]] = []
        for frame in file.frames():
            times.append(frame.time)
            frames.append(_to_small_gray(frame.decode().pixels, scale))
        if not frames:
            raise DecodeError("The video has no frame that can be read")
        numbers = video.file_frames(times)
        return cls(np.stack(frames)[numbers[numbers >= 0]], video)


def _to_small_gray(pixels: Pixels, scale: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    gray = cv2.cvtColor(cv2.resize(pixels, (width, height)), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, np.uint8)
