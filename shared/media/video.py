"""Bytes to the upright frames of a video, one after the other, and their numbers in the editor."""

import io
import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.label_studio.variables import resolve
from shared.media.image import Image, digest, looks_like
from shared.results import ImageSize
from shared.results import Video as OnVideo
from shared.results.video import FPS

logger = logging.getLogger(__name__)

# Place and bytes that show a container, and FFmpeg's name of it. No other is tried: FFmpeg also
# knows play lists, which would make it open further files and addresses.
KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (0, b"OggS", "ogg"),
    (8, b"AVI ", "avi"),
)

# Part of the announced frames that may be missing at the end before it is said.
WHOLE = 0.9


@dataclass(frozen=True)
class Limits:
    """What a video may have at the most: pixels of a frame, in millions, and frames."""

    megapixels: float
    frames: int


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: its number from 0, and when it is shown, in seconds from the first."""

    index: int
    time: float
    decode: Callable[[], Image] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Video:
    """A video whose first frame could be read: upright `size`, frames per second as it says.

    `duration` is what a browser says of it, in seconds; `count` the frames that it announces.
    `task` is for messages.
    """

    data: bytes = field(repr=False)
    kind: str
    size: ImageSize
    fps: float
    duration: float
    count: int
    limits: Limits
    digest: str
    task: Any = None

    @classmethod
    def open(cls, data: bytes, limits: Limits, task: Any = None) -> "Video":
        """DecodeError if it is none, has no frame that can be read, or is over the limits."""
        kind = _kind(data)
        with _opened(data, kind, limits) as (container, stream):
            first = next(_decoded(container, stream), None)
            if first is None:
                raise DecodeError("The video has no frame that can be read")
            fps = float(stream.average_rate or stream.guessed_rate or FPS)
            total, count = container.duration, int(stream.frames)
        duration = total / 1e6 if total and total > 0 else max(count, 1) / fps
        count = count or round(duration * fps)
        size = _upright_size(first)
        _check(size, count, limits)
        return cls(data, kind, size, fps, duration, count, limits, digest(data), task)

    def frames(self) -> Generator[Frame, None, None]:
        """The frames in their order; pixels are made when a frame's `decode` is called.

        The file is open until all were taken, or it is closed (`contextlib.closing`).

        A damaged video ends where it can no longer be read, which the log says. DecodeError if
        it has more frames than it may have, whatever it announces.
        """
        start, index = None, -1
        with _opened(self.data, self.kind, self.limits) as (container, stream):
            for index, raw in enumerate(_decoded(container, stream)):
                _check(self.size, index + 1, self.limits)
                time = raw.time if raw.time is not None else index / self.fps
                start = time if start is None else start
                yield Frame(index, max(time - start, 0.0), self._decoder(raw))
        if index + 1 < self.count * WHOLE:
            logger.warning(
                "Task %s: %d of about %d frames of the video can be read; it is used up to there",
                self.task,
                index + 1,
                self.count,
            )

    def shown(self, target: ObjectTag, task: Task) -> OnVideo:
        """The video as Label Studio's editor counts it: frames of the Video tag's `frameRate`."""
        rate = frame_rate(target, task)
        frames = max(math.floor(self.duration * rate + 0.5), 1)
        _check(self.size, frames, self.limits)
        return OnVideo(self.size, frames, rate, self.duration)

    def _decoder(self, raw: Any) -> Callable[[], Image]:
        def decode() -> Image:
            turns = _turns(raw)
            across = self.size.height if turns % 2 else self.size.width
            down = self.size.width if turns % 2 else self.size.height
            pixels = raw.to_ndarray(format="rgb24", width=across, height=down)
            return Image(np.ascontiguousarray(np.rot90(pixels, turns)))

        return decode


def frame_numbers(times: Sequence[float], shown: OnVideo) -> NDArray[np.int64]:
    """Return for each of the editor's frames, from 0, the number of the video's frame shown there.

    `times` are those of the video's frames, in seconds from the first. A browser shows the last
    frame whose time has come, to the millisecond, which is as precisely as WebM keeps it. After
    the last one (where the sound goes on) it is -1.
    """
    at = np.arange(shown.frames) / shown.fps
    found = np.searchsorted(times, at + 1e-3, side="right") - 1
    step = (times[-1] - times[0]) / max(len(times) - 1, 1)
    found[at > times[-1] + max(step, 1 / shown.fps)] = -1
    return found.astype(np.int64)


def frame_rate(target: ObjectTag, task: Task) -> float:
    """The editor's frames per second: `frameRate`, a number or `$key` of the task's data.

    Read as the editor does (tags/object/Video/Video.js): 24 if it is none, and a number below 1
    is the length of a frame.
    """
    said = resolve(target.attrs.get("frameRate", ""), task.data)
    try:
        rate = float(said)
    except (TypeError, ValueError):
        return FPS
    if not math.isfinite(rate) or rate <= 0:
        return FPS
    return 1 / rate if rate < 1 else rate


def _kind(data: bytes) -> str:
    for place, mark, kind in KINDS:
        if data[place : place + len(mark)] == mark:
            return kind
    raise DecodeError(
        f"The file is no video that can be read ({looks_like(data)});"
        " MP4, MOV, WebM, Matroska, Ogg and AVI are"
    )


@contextmanager
def _opened(data: bytes, kind: str, limits: Limits) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream, as PyAV has them."""
    try:
        import av
    except ImportError:
        raise DecodeError(
            "Videos are read by the package av, which is not installed here"
        ) from None
    try:
        container = av.open(io.BytesIO(data), format=kind, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError(f"The video is damaged: {_reason(error)}") from None
    with container:
        if not container.streams.video:
            raise DecodeError("The file has no pictures, only sound or text")
        stream = container.streams.video[0]
        _check(ImageSize(stream.width, stream.height), 0, limits)  # before memory is taken for it
        stream.codec_context.options = {"max_pixels": str(int(limits.megapixels * 1e6))}
        stream.thread_type = "AUTO"
        yield container, stream


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames; those that are damaged are left out."""
    import av

    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            logger.debug("A part of a video is damaged: %s", _reason(error))


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The video's packets as far as they can be read."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            logger.debug("The end of a video is missing: %s", _reason(error))
            return
        if packet is None:
            return
        yield packet


def _check(size: ImageSize, frames: int, limits: Limits) -> None:
    megapixels = size.width * size.height / 1e6
    if megapixels > limits.megapixels:
        raise DecodeError(
            f"A frame of the video has {megapixels:.0f} megapixels ({size.width} × {size.height});"
            f" MAX_MEGAPIXELS allows {limits.megapixels:g}",
            cause="too_large",
        )
    if frames > limits.frames:
        raise DecodeError(
            f"The video has {frames} frames or more; MAX_VIDEO_FRAMES allows {limits.frames}",
            cause="too_large",
        )


def _turns(raw: Any) -> int:
    """Quarter turns to the left that make a frame upright, as its video says."""
    degrees: int = raw.rotation
    return round(degrees / 90) % 4


def _upright_size(raw: Any) -> ImageSize:
    turned = _turns(raw) % 2
    return ImageSize(raw.height, raw.width) if turned else ImageSize(raw.width, raw.height)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
