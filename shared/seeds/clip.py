"""Videos, as small grey frames."""

import tempfile
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError
from shared.results import ImageSize, Video

WIDTH = 64
"""Pixels that a frame is wide: an hour of 25 frames a second takes 200 MB."""


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames of a video: uint8 of shape (frames, height, width), `scale` times its size."""

    frames: NDArray[np.uint8]
    video: Video
    scale: float

    @classmethod
    def decode(cls, data: bytes, fps: float) -> "Clip":
        """From a file that OpenCV reads; `fps` is the rate by which the editor counts frames."""
        with tempfile.NamedTemporaryFile(suffix=".video") as file:
            file.write(data)
            file.flush()
            frames, size = _frames(file.name)
        if not frames:
            raise DecodeError("The video is none that can be read")
        video = Video(size, len(frames), fps)
        return cls(np.stack(frames), video, frames[0].shape[1] / size.width)


def _frames(path: str) -> tuple[list[NDArray[np.uint8]], ImageSize]:
    frames: list[NDArray[np.uint8]] = []
    capture, size = cv2.VideoCapture(path), ImageSize(0, 0)
    while True:
        good, frame = capture.read()
        if not good:
            capture.release()
            return frames, size
        size = ImageSize(frame.shape[1], frame.shape[0])
        small = WIDTH, max(1, round(size.height * WIDTH / size.width))
        grey = cv2.cvtColor(cv2.resize(frame, small), cv2.COLOR_BGR2GRAY)
        frames.append(np.asarray(grey, np.uint8))
