"""Bytes to the upright frames of a video, one after the other."""

import io
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.errors import DecodeError
from shared.media.container import VIDEO_CONTAINERS, decode_frames, error_reason
from shared.media.image import Image, content_digest, looks_like
from shared.media.image_size import ImageSize

logger = logging.getLogger(__name__)

# Frames per second of a file that states no rate.
DEFAULT_FPS = 24.0

# A key frame nearer than this is reached by decoding what lies before it.
SEEK_SECONDS = 1.0

# A warning is logged if less than this share of the declared frames can be read.
MIN_READABLE_SHARE = 0.9


@dataclass(frozen=True)
class VideoLimits:
    """The upper limits of a video: megapixels of a frame, and number of frames."""

    megapixels: float
    frames: int

    def check(self, size: ImageSize, frames: int) -> None:
        """Raise DecodeError if a video's frames are too large or too many."""
        megapixels = size.width * size.height / 1e6
        if megapixels > self.megapixels:
            raise DecodeError(
                f"A frame of the video has {megapixels:.0f} megapixels"
                f" ({size.width} × {size.height}); MAX_MEGAPIXELS allows {self.megapixels:g}",
                cause="too_large",
            )
        if frames > self.frames:
            raise DecodeError(
                f"The video has {frames} frames or more; MAX_VIDEO_FRAMES allows {self.frames}",
                cause="too_large",
            )


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: its number from 0, and its time in seconds after the first one."""

    index: int
    time: float
    decode: Callable[[], Image] = field(repr=False)


@dataclass(frozen=True, eq=False)
class VideoFile:
    """A video whose first frame could be read.

    `size` is that of the upright frames in pixels, `fps` and `count` are what the file declares,
    `duration` is the one that a browser shows, in seconds. `task` is the id for messages.
    """

    data: bytes = field(repr=False)
    container: str
    size: ImageSize
    fps: float
    duration: float
    count: int
    limits: VideoLimits
    digest: str
    task: Any = None

    @classmethod
    def open(cls, data: bytes, limits: VideoLimits, task: Any = None) -> "VideoFile":
        """Open a video; DecodeError if it cannot be read, has no frames, or exceeds the limits."""
        kind = _detect_container(data)
        with _open_container(data, kind, limits) as (container, stream):
            first = next(decode_frames(container, stream), None)
            if first is None:
                raise DecodeError("The video has no frame that can be read")
            fps = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
            total, count = container.duration, int(stream.frames)
        duration = total / 1e6 if total and total > 0 else max(count, 1) / fps
        count = count or round(duration * fps)
        size = _upright_size(first)
        limits.check(size, count)
        return cls(data, kind, size, fps, duration, count, limits, content_digest(data), task)

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the frames in order; a frame's `decode` converts its pixels.

        The file stays open until the generator ends or is closed (`contextlib.closing`). A
        damaged video ends where it can no longer be read, with a warning in the log. DecodeError
        if it has more frames than allowed, whatever it declares.
        """
        start, index = None, -1
        with _open_container(self.data, self.container, self.limits) as (container, stream):
            for index, raw in enumerate(decode_frames(container, stream)):
                self.limits.check(self.size, index + 1)
                time = raw.time if raw.time is not None else index / self.fps
                start = time if start is None else start
                yield Frame(index, max(time - start, 0.0), self._frame_decoder(raw))
        if index + 1 < self.count * MIN_READABLE_SHARE:
            logger.warning(
                "Task %s: %d of about %d frames of the video can be read; it is used up to there",
                self.task,
                index + 1,
                self.count,
            )

    def sample(self, count: int) -> Generator[Frame, None, None]:
        """Yield the frames shown in the middle of `count` equal parts of the video, each once.

        By the file's index what lies between is skipped: a long video takes as long as a short
        one. The file stays open until the generator ends or is closed.
        """
        with _open_container(self.data, self.container, self.limits) as (container, stream):
            base = float(stream.time_base)
            start = (stream.start_time or 0) * base
            keys = [entry.timestamp * base for entry in stream.index_entries if entry.is_keyframe]
            frames, at = self._timed_frames(container, stream), start - 1.0
            for number in range(count):
                middle = start + (number + 0.5) / count * self.duration
                wanted = middle - 1 / self.fps + 1e-3  # WebM rounds to milliseconds
                if at > wanted:  # a frame that is shown so long was the last one
                    continue
                key = max((time for time in keys if time <= wanted), default=start)
                if key > at + SEEK_SECONDS:
                    container.seek(round(key / base), stream=stream)
                    frames = self._timed_frames(container, stream)
                found = next(((time, raw) for time, raw in frames if time > wanted), None)
                if found is None:
                    return
                at, raw = found
                yield self._frame_at(at - start, raw)

    def frames_from(self, seconds: float) -> Generator[Frame, None, None]:
        """Yield the frame that is shown at a time after the first frame, and all later ones.

        By the file's index what lies before is skipped. The file stays open until the generator
        ends or is closed.
        """
        with _open_container(self.data, self.container, self.limits) as (container, stream):
            base = float(stream.time_base)
            start = (stream.start_time or 0) * base
            wanted = start + seconds + 1e-3  # WebM rounds to milliseconds
            keys = [entry.timestamp * base for entry in stream.index_entries if entry.is_keyframe]
            key = max((time for time in keys if time <= wanted), default=start)
            if key > start + SEEK_SECONDS:
                container.seek(round(key / base), stream=stream)
            shown: tuple[float, Any] | None = None
            for time, raw in self._timed_frames(container, stream):
                if time > wanted and shown is not None:
                    yield self._frame_at(shown[0] - start, shown[1])
                    shown = None
                if time > wanted:
                    yield self._frame_at(time - start, raw)
                else:
                    shown = time, raw
            if shown is not None:
                yield self._frame_at(shown[0] - start, shown[1])

    def _frame_at(self, seconds: float, raw: Any) -> Frame:
        index = round(seconds * self.fps)
        return Frame(index, max(seconds, 0.0), self._frame_decoder(raw))

    def _timed_frames(self, container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
        """Yield frames with their times in the file; of a file without times, by its rate."""
        for index, raw in enumerate(decode_frames(container, stream)):
            self.limits.check(self.size, index + 1)
            yield (raw.time if raw.time is not None else index / self.fps), raw

    def _frame_decoder(self, raw: Any) -> Callable[[], Image]:
        def decode() -> Image:
            turns = _quarter_turns(raw)
            across = self.size.height if turns % 2 else self.size.width
            down = self.size.width if turns % 2 else self.size.height
            pixels = raw.to_ndarray(format="rgb24", width=across, height=down)
            return Image(np.ascontiguousarray(np.rot90(pixels, turns)))

        return decode


def _detect_container(data: bytes) -> str:
    for place, mark, kind in VIDEO_CONTAINERS:
        if data[place : place + len(mark)] == mark:
            return kind
    raise DecodeError(
        f"Not a readable video ({looks_like(data)}); MP4, MOV, WebM, Matroska, Ogg and AVI are"
    )


@contextmanager
def _open_container(data: bytes, kind: str, limits: VideoLimits) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and its first video stream."""
    try:
        import av
    except ImportError:
        raise DecodeError(
            "Videos are read by the package av, which is not installed here"
        ) from None
    try:
        container = av.open(io.BytesIO(data), format=kind, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError(f"The video is damaged: {error_reason(error)}") from None
    with container:
        if not container.streams.video:
            raise DecodeError("The file has no video stream, only sound or text")
        stream = container.streams.video[0]
        # Checked before memory is taken for a frame.
        limits.check(ImageSize(stream.width, stream.height), 0)
        stream.codec_context.options = {"max_pixels": str(int(limits.megapixels * 1e6))}
        stream.thread_type = "AUTO"
        yield container, stream


def _quarter_turns(raw: Any) -> int:
    """Return the quarter turns to the left that make a frame upright, by the file's metadata."""
    degrees: int = raw.rotation
    return round(degrees / 90) % 4


def _upright_size(raw: Any) -> ImageSize:
    turned = _quarter_turns(raw) % 2
    return ImageSize(raw.height, raw.width) if turned else ImageSize(raw.width, raw.height)
