"""Small media, made by the tests themselves: an image, a recording, a video."""

import base64
import wave
from pathlib import Path

import cv2
import numpy as np

from shared.results import ImageSize, Video

SIZE = ImageSize(320, 200)
SECONDS = 2.0
VIDEO = Video(ImageSize(64, 48), 50, 25.0)


def image() -> str:
    """A PNG of SIZE, as a data URL: the editor shows it without a request."""
    pixels = np.full((SIZE.height, SIZE.width, 3), 200, np.uint8)
    pixels[40:120, 60:200] = (90, 120, 60)
    png = cv2.imencode(".png", pixels)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def write_audio(path: Path) -> None:
    """A tone of SECONDS, as WAV."""
    rate = 8000
    time = np.arange(int(rate * SECONDS)) / rate
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((8000 * np.sin(time * 2 * np.pi * 440)).astype("<i2").tobytes())


def write_video(path: Path) -> None:
    """VIDEO, as WebM: a browser without patented codecs plays it."""
    size = VIDEO.size
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), VIDEO.fps, size)
    for frame in range(VIDEO.frames):
        pixels = np.full((size.height, size.width, 3), frame * 4, np.uint8)
        pixels[10:20, frame : frame + 12] = 255
        writer.write(pixels)
    writer.release()


FILES = {"tone.wav": write_audio, "clip.webm": write_video}
"""Media that the editor takes from a server only, by file name."""
