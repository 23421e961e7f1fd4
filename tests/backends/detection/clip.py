"""Draws a video with the exact box of each shape on each frame, and encodes it with PyAV."""

import io
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np

from backends.detection.starter.shapes import outline

SIZE = (320, 240)
FRAMES = 300
FPS = 25
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Actor:
    """A shape: its centre and radius on a frame, or None while it is away."""

    name: str
    color: tuple[int, int, int]
    center_and_radius: Callable[[int], tuple[float, float, float] | None]


def _swing_evenly(frame: int, period: float, low: float, high: float, phase: float = 0.0) -> float:
    """Move to and fro at constant speed, turning abruptly: the worst case for interpolation."""
    way = abs((frame / period + phase) % 2 - 1)
    return low + (high - low) * way


# The circle and the square pass each other closely, several times; the triangle is away for 70
# frames, which is longer than a tracker waits, and the cross for 15.
ACTORS = (
    Actor("circle", (220, 40, 40), lambda f: (_swing_evenly(f, 150, 40, 280), 60, 22)),
    Actor("square", (40, 60, 210), lambda f: (_swing_evenly(f, 120, 40, 280, 1), 110, 24)),
    Actor(
        "star",
        (20, 130, 50),
        lambda f: (160 + 90 * np.cos(f / 45), 150 + 40 * np.sin(f / 30), 26),
    ),
    Actor(
        "cross",
        (110, 30, 130),
        lambda f: (45, 195, 22 + 6 * np.sin(f / 40)) if not 200 <= f < 215 else None,
    ),
    Actor("triangle", (30, 30, 30), lambda f: (285, 200, 24) if not 90 <= f < 160 else None),
)


# Frames are drawn this many times larger and then averaged, as antialiasing.
FINE = 2


@cache
def _draw_background() -> Any:
    """Draw a soft gray gradient."""
    width, height = SIZE[0] * FINE, SIZE[1] * FINE
    across = np.linspace(190, 225, width)[None, :, None]
    return np.broadcast_to(across, (height, width, 3)).astype(np.uint8)


def draw_frame(number: int, actors: Iterable[Actor] = ACTORS) -> tuple[Any, dict[str, Box]]:
    """Return the RGB pixels of a frame, counted from 0, and the exact boxes by name."""
    ground, boxes = _draw_background().copy(), {}
    for actor in actors:
        at = actor.center_and_radius(number)
        if at is None:
            continue
        x, y, radius = at
        corners = outline(actor.name) * radius + [x, y]
        points = np.rint((corners * FINE - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(ground, [points], actor.color, cv2.LINE_AA, shift=4)
        boxes[actor.name] = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    return cv2.resize(ground, SIZE, interpolation=cv2.INTER_AREA), boxes


def make_clip(
    frames: int = FRAMES, actors: Iterable[Actor] = ACTORS, kind: str = "webm", fps: float = FPS
) -> tuple[bytes, list[dict[str, Box]]]:
    """Return the encoded video and the exact boxes on each frame."""
    drawn = [draw_frame(number, actors) for number in range(frames)]
    return encode_video([pixels for pixels, _ in drawn], kind, fps), [boxes for _, boxes in drawn]


CODECS = {
    "webm": ("libvpx", "webm", {"crf": "6", "b": "4M", "deadline": "realtime", "cpu-used": "6"}),
    "mp4": ("libx264", "mp4", {"crf": "12", "preset": "veryfast"}),
    "avi": ("mpeg4", "avi", {"qscale": "2"}),
    "mkv": ("libx264", "matroska", {"crf": "12", "preset": "veryfast"}),
    "av1": ("libsvtav1", "mp4", {"crf": "20", "preset": "10"}),
}


def encode_video(
    frames: Iterable[Any],
    kind: str = "webm",
    fps: float = FPS,
    times: Iterable[float] | None = None,
    options: Mapping[str, str] | None = None,
) -> bytes:
    """Encode RGB frames; `times`, in seconds, give a variable frame rate."""
    given = list(frames), kind, fps, times and list(times), options
    if kind != "av1":
        return _encode_frames(*given)
    # If root runs it, SVT-AV1 makes its process, and all that this starts, real-time: other
    # programs (buildah) then hang. So it runs in a process of its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(_encode_frames, *given).result()


def _encode_frames(
    frames: Iterable[Any],
    kind: str,
    fps: float,
    times: Iterable[float] | None,
    options: Mapping[str, str] | None,
) -> bytes:
    import av

    codec, container, settings = CODECS[kind]
    out = io.BytesIO()
    at = iter(times) if times is not None else None
    with av.open(out, "w", format=container, options=dict(options or {})) as file:
        rate = Fraction(fps).limit_denominator(1001)
        stream = file.add_stream(codec, rate=rate, options=dict(settings))
        stream.pix_fmt = "yuv420p"
        for number, pixels in enumerate(frames):
            if number == 0:
                stream.height, stream.width = pixels.shape[:2]
            raw = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if at is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
                raw.pts, raw.time_base = round(next(at) * 1000), Fraction(1, 1000)
            file.mux(stream.encode(raw))
        file.mux(stream.encode())
    return out.getvalue()
