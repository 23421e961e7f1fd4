"""Bytes to the samples of a recording, or of a video's sound, a few seconds at a time."""

import io
import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError
from shared.media.container import VIDEO_CONTAINERS, decode_frames, error_reason
from shared.media.image import content_digest, looks_like

logger = logging.getLogger(__name__)

Samples: TypeAlias = NDArray[np.float32]

# Those whose sound is read, with the ones that hold sound alone.
CONTAINERS = (
    *VIDEO_CONTAINERS,
    (8, b"WAVE", "wav"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (0, b"fLaC", "flac"),
    (0, b"#!AMR", "amr"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
)
# ID3v2 (id3.org): a tag of so many bytes before its content, whose length follows in 4 × 7 bits.
ID3_HEADER_BYTES = 10
# A frame of MP3 (ISO 11172-3 and 13818-3, layer III): kbit/s and samples a second, each by its
# index in the header, and samples in a frame; of MPEG 1, and of MPEG 2 with lower rates.
MP3_HEADER_BYTES = 4
MP3_KBITS = (
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
MP3_FRAME_SAMPLES = (1152, 576)
# What is cut out of an MP3 file begins inside a frame: so many bytes are searched for whole ones,
# and so many of these must follow each other.
MP3_SEARCH_BYTES = 4096
MP3_FRAMES = 3
# What a browser's decoders take (the Web Audio API asks for 8 to 96 kHz, and 32 channels).
MAX_RATE = 768_000
MAX_CHANNELS = 64
# Seconds of a block: what is decoded at a time.
BLOCK_SECONDS = 10
# A warning is logged if less than this share of the declared length can be read.
MIN_READABLE_SHARE = 0.9


@dataclass(frozen=True)
class AudioLimits:
    """The upper limit of a recording: its length in seconds."""

    seconds: float

    def check(self, seconds: float) -> None:
        """Raise DecodeError if a recording is too long."""
        if seconds > self.seconds:
            raise DecodeError(
                f"The recording lasts {seconds:.0f} seconds or more; MAX_AUDIO_SECONDS allows"
                f" {self.seconds:g}",
                cause="too_large",
            )


@dataclass(frozen=True, eq=False)
class AudioFile:
    """A recording whose first samples could be read.

    `rate` is the file's, in samples a second; `duration` is what it declares, in seconds; None
    where it declares none. `task` is the id for messages.
    """

    data: bytes = field(repr=False)
    container: str
    rate: int
    channels: int
    duration: float | None
    limits: AudioLimits
    digest: str
    task: Any = None

    @classmethod
    def open(cls, data: bytes, limits: AudioLimits, task: Any = None) -> "AudioFile":
        """Open a recording; DecodeError if it cannot be read, is empty, or exceeds the limits."""
        kind = _detect_container(data)
        with _open_container(data, kind) as (container, stream):
            first = next((f for f in decode_frames(container, stream) if f.samples), None)
            if first is None:
                raise DecodeError("The recording has no sample that can be read")
            rate, channels = int(first.sample_rate), int(first.layout.nb_channels)
            duration = _declared_seconds(container, stream)
        if not 0 < rate <= MAX_RATE or not 0 < channels <= MAX_CHANNELS:
            raise DecodeError(
                f"The recording has {channels} channels of {rate} samples a second; up to"
                f" {MAX_CHANNELS} of {MAX_RATE} are read"
            )
        limits.check(duration or 0.0)
        return cls(data, kind, rate, channels, duration, limits, content_digest(data), task)

    def blocks(self, rate: int, by_channel: bool = False) -> Generator[Samples, None, None]:
        """Yield the samples from -1 to 1 at a rate: arrays of shape (channels, samples).

        `by_channel`: the caller keeps each channel, so that all together may be as long as allowed.
        A block has about BLOCK_SECONDS. The file stays open until the generator ends or is closed
        (`contextlib.closing`). A damaged recording ends where it can no longer be read, with a
        warning in the log. DecodeError if it is longer than allowed, whatever it declares.
        """
        length, kept = 0, self.channels if by_channel else 1
        self.limits.check((self.duration or 0.0) * kept)
        with _open_container(self.data, self.container) as (container, stream):
            for block in self._resampled(decode_frames(container, stream), rate):
                length += block.shape[1]
                self.limits.check(length / rate * kept)
                yield block
        if length / rate < (self.duration or 0.0) * MIN_READABLE_SHARE:
            logger.warning(
                "Task %s: %.1f of %.1f seconds of the recording can be read; it is used up to"
                " there",
                self.task,
                length / rate,
                self.duration,
            )

    def read(
        self, rate: int, start: float = 0.0, end: float | None = None, channel: int | None = None
    ) -> Samples:
        """Return the samples from second `start` to `end` at a rate, shape (samples,).

        Of one channel, counted from 0, or the mean of all. Samples outside the recording are left
        out. DecodeError if there is no such channel.
        """
        most = self.limits.seconds  # what a user sends may be too large to be counted in samples
        first = max(round(min(most, start) * rate), 0)
        last = None if end is None else max(round(min(most, end) * rate), first)
        at, found = 0, list[Samples]()
        with closing(self.blocks(rate)) as blocks:
            for block in blocks:
                low, high = max(first - at, 0), None if last is None else last - at
                found.append(self.pick_channel(block[:, low:high], channel))
                at += block.shape[1]
                if last is not None and at >= last:
                    break
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def pick_channel(self, block: Samples, channel: int | None) -> Samples:
        """Return one channel of a block, or the mean of all: shape (samples,)."""
        if channel is None:
            mixed: Samples = block[0] if len(block) == 1 else block.mean(axis=0)
            return mixed
        if not 0 <= channel < len(block):
            raise DecodeError(
                f"Channel {channel} is not in the recording, which has {self.channels} (from 0)"
            )
        return np.asarray(block[channel])

    def _resampled(self, frames: Iterator[Any], rate: int) -> Iterator[Samples]:
        """Convert frames to blocks of shape (channels, samples) at a rate.

        A stream may change its own rate or channels (chained Ogg): that is converted, too, and
        its channels are cut or repeated.
        """
        import av

        resampler, fifo, form = None, av.AudioFifo(), None
        for frame in frames:
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != form:
                yield from self._ending(resampler, fifo)
                # Interleaved: PyAV reads beyond the end of the planes of 8 channels.
                resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=rate)
                fifo, form = av.AudioFifo(), found
            frame.pts = None  # samples follow each other: browsers play no gaps
            _push(resampler, fifo, frame)
            if fifo.samples >= BLOCK_SECONDS * rate:
                yield self._to_samples(fifo.read(0))
        yield from self._ending(resampler, fifo)

    def _ending(self, resampler: Any, fifo: Any) -> Iterator[Samples]:
        """Yield what is left in a resampler and its queue."""
        if resampler is not None:
            _push(resampler, fifo, None)
            if fifo.samples:
                yield self._to_samples(fifo.read(0, partial=True))

    def _to_samples(self, frame: Any) -> Samples:
        channels = frame.layout.nb_channels
        samples = frame.to_ndarray().reshape(-1, channels).T.astype(np.float32)
        if channels != self.channels:
            samples = np.resize(samples, (self.channels, samples.shape[1]))
        np.nan_to_num(samples, copy=False, posinf=1.0, neginf=-1.0)
        return np.asarray(samples)


def _push(resampler: Any, fifo: Any, frame: Any) -> None:
    """Resample a frame, or the rest for None, into a queue."""
    for made in resampler.resample(frame):
        made.pts = None
        fifo.write(made)


def _detect_container(data: bytes) -> str:
    body = data[_id3_length(data) :]
    for place, mark, kind in CONTAINERS:
        if body[place : place + len(mark)] == mark:
            return kind
    # Frames begin with 11 or 12 set bits; the two of the layer are 0 in AAC alone.
    if len(body) > 1 and body[0] == 0xFF and body[1] & 0xE0 == 0xE0:
        return "aac" if body[1] & 0xF6 == 0xF0 else "mp3"
    if (body is not data and data[:3] == b"ID3") or _has_mp3_frames(body):
        return "mp3"
    raise DecodeError(
        f"Not a readable recording ({looks_like(data)}); WAV, FLAC, MP3, Ogg, M4A, WebM, AIFF and"
        " the sound of videos are"
    )


def _has_mp3_frames(data: bytes) -> bool:
    """Return whether frames of MP3 follow each other near the beginning."""
    at = data.find(b"\xff")
    while 0 <= at < MP3_SEARCH_BYTES:
        place = at
        for _ in range(MP3_FRAMES):
            length = _mp3_frame_length(data[place : place + MP3_HEADER_BYTES])
            if not length:
                break
            place += length
        else:
            return True
        at = data.find(b"\xff", at + 1)
    return False


def _mp3_frame_length(header: bytes) -> int:
    """Return the bytes of the frame that has this header; 0 if it is none."""
    if len(header) < MP3_HEADER_BYTES or header[1] & 0xE6 != 0xE2:  # 11 bits are set, layer III
        return 0
    version, kbits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    older = version != 3
    if version not in MP3_RATES or not 1 <= kbits <= len(MP3_KBITS[older]) or rate > 2:
        return 0
    bits = MP3_KBITS[older][kbits - 1] * 1000 * MP3_FRAME_SAMPLES[older]
    return bits // (8 * MP3_RATES[version][rate]) + (header[2] >> 1 & 1)


def _id3_length(data: bytes) -> int:
    """Return how many bytes of ID3v2 tag stand before the recording."""
    if data[:3] != b"ID3" or len(data) < ID3_HEADER_BYTES:
        return 0
    length = 0
    for byte in data[6:ID3_HEADER_BYTES]:
        length = length << 7 | byte & 0x7F
    return length + ID3_HEADER_BYTES


@contextmanager
def _open_container(data: bytes, kind: str) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and its first audio stream."""
    try:
        import av
    except ImportError:
        raise DecodeError(
            "Recordings are read by the package av, which is not installed here"
        ) from None
    try:
        container = av.open(io.BytesIO(data), format=kind, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError(f"The recording is damaged: {error_reason(error)}") from None
    with container:
        if not container.streams.audio:
            raise DecodeError("The file has no sound, only pictures or text")
        yield container, container.streams.audio[0]


def _declared_seconds(container: Any, stream: Any) -> float | None:
    """Return the length that the stream declares, else that of the file; None if it is guessed."""
    if container.format.name == "aac":
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * Fraction(stream.time_base))
    return container.duration / 1e6 if container.duration and container.duration > 0 else None
