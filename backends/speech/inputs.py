"""The input of a task: the parts of its recording in which somebody speaks."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._sound.speech_spans import (
    PartLimits,
    SpeechSpan,
    cut_parts,
    find_speech,
    pack_parts,
)
from backends._sound.voice_detector import RATE, VoiceDetector
from backends.speech.transcript import Piece, Segment, SpeechOptions, SpeechPart, Timeline
from shared.backend import LabelConfig, ObjectTag
from shared.backend.drawn_regions import read_drawn_regions
from shared.errors import DecodeError, TaskError
from shared.media.audio import AudioFile, Samples
from shared.results import AudioSpan, ParsedRegion

# Samples are kept as integers of 16 bits, in a quarter of the memory of an hour's recording.
SCALE = 32_768.0
# A drawn region that is shorter holds no word.
MIN_DRAWN_SECONDS = 0.05


@dataclass(frozen=True, eq=False)
class RecordedPart:
    """Samples of 16 bits, shape (n,), and where in which channel they are."""

    samples: NDArray[np.int16]
    timeline: Timeline
    channel: int

    @property
    def seconds(self) -> float:
        """The length."""
        return len(self.samples) / RATE


@dataclass(frozen=True, eq=False)
class SpeechInput:
    """What is transcribed of one task.

    `length` is that of the recording in seconds, `identity` what tells its file from others;
    `drawn` the region that the user has drawn.
    """

    parts: tuple[RecordedPart, ...]
    length: float
    options: SpeechOptions
    identity: str
    drawn: ParsedRegion | None = None

    def split_parts(self) -> "Sequence[SpeechInput]":
        """Return an input for each part; itself if there is none."""
        return [
            SpeechInput((part,), self.length, self.options, self.identity, self.drawn)
            for part in self.parts
        ] or [self]

    def cache_key(self) -> tuple[Any, ...]:
        """Return what the transcript depends on, without the samples."""
        places = tuple((part.timeline, part.channel) for part in self.parts)
        drawn = None if self.drawn is None else self.drawn.id
        return self.identity, places, self.options, self.length, drawn

    def speech_parts(self) -> list[SpeechPart]:
        """Return what an engine gets."""
        return [
            SpeechPart(part.samples.astype(np.float32) / np.float32(SCALE), self.options)
            for part in self.parts
        ]

    def with_segments(self, found: Sequence[Sequence[Segment]]) -> "SpeechOutput":
        """Return the output for what an engine heard in each part."""
        segments = [
            segment.moved(part.timeline, part.channel)
            for part, heard in zip(self.parts, found, strict=True)
            for segment in heard
        ]
        return SpeechOutput(tuple(segments), self.length, self.drawn)


@dataclass(frozen=True)
class SpeechOutput:
    """The segments of one recording, in order, and its length in seconds."""

    segments: tuple[Segment, ...]
    length: float
    drawn: ParsedRegion | None = None

    @classmethod
    def join(cls, outputs: "Sequence[SpeechOutput]") -> "SpeechOutput":
        """Join the outputs of all parts of one recording, by time."""
        segments = sorted(
            (segment for output in outputs for segment in output.segments),
            key=lambda segment: (segment.start, segment.channel),
        )
        return cls(tuple(segments), outputs[0].length, outputs[0].drawn)


def read_speech(
    file: AudioFile, split_channels: bool, detector: VoiceDetector, limits: PartLimits
) -> tuple[tuple[RecordedPart, ...], float]:
    """Return the parts of a recording with speech, and its length in seconds.

    Of each channel, or of all mixed. DecodeError if the channels together are too long.
    """
    channels: list[int | None] = [None] if not split_channels else [*range(file.channels)]
    kept = [SampleBlocks() for _ in channels]
    with closing(file.blocks(RATE, by_channel=split_channels)) as blocks:
        for block in blocks:
            for channel, samples in zip(channels, kept, strict=True):
                samples.append(_to_int16(file.pick_channel(block, channel)))
    length = kept[0].length / RATE
    parts: list[RecordedPart] = []
    for channel, samples in zip(channels, kept, strict=True):
        probabilities = detector.probabilities(samples.floats())
        cuts = cut_parts(find_speech(probabilities, length), probabilities, limits)
        parts += [_part_of(samples, pack, channel or 0) for pack in pack_parts(cuts, limits)]
        samples.release()
    return tuple(parts), length


class SampleBlocks:
    """The samples of one channel as they were decoded: never twice in memory, however long."""

    def __init__(self) -> None:
        self._blocks: deque[NDArray[np.int16]] = deque()
        self._first = self.length = 0

    def append(self, block: NDArray[np.int16]) -> None:
        """Add the next samples, shape (n,)."""
        self._blocks.append(block)
        self.length += len(block)

    def floats(self) -> Iterator[Samples]:
        """Yield the samples from -1 to 1, a block at a time."""
        for block in self._blocks:
            yield block.astype(np.float32) / np.float32(SCALE)

    def cut(self, first: int, last: int) -> NDArray[np.int16]:
        """Return a copy of samples `first` to `last`, and let go the blocks before them."""
        while self._blocks and self._first + len(self._blocks[0]) <= first:
            self._first += len(self._blocks.popleft())
        found, at = list[NDArray[np.int16]](), self._first
        for block in self._blocks:
            if at >= last:
                break
            found.append(block[max(first - at, 0) : last - at])
            at += len(block)
        return np.concatenate(found) if found else np.zeros(0, np.int16)

    def release(self) -> None:
        """Let go all blocks."""
        self._blocks.clear()


def _part_of(samples: SampleBlocks, pack: Sequence[SpeechSpan], channel: int) -> RecordedPart:
    found, pieces, at = list[NDArray[np.int16]](), list[Piece](), 0
    for span in pack:
        first = round(span.start * RATE)
        piece = samples.cut(first, round(span.end * RATE))
        found.append(piece)
        pieces.append(Piece(at / RATE, first / RATE, len(piece) / RATE))
        at += len(piece)
    part = np.concatenate(found) if len(found) > 1 else found[0]
    return RecordedPart(part, Timeline(tuple(pieces)), channel)


def _to_int16(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.round(samples * SCALE), -SCALE, SCALE - 1).astype(np.int16)


def last_drawn_region(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> ParsedRegion | None:
    """Return the region that the user drew last on a recording; None if there is none."""
    drawn = read_drawn_regions(context, config, target)
    return next((region for region in drawn if isinstance(region.shape, AudioSpan)), None)


def read_drawn(
    file: AudioFile, drawn: ParsedRegion, split_channels: bool, limits: PartLimits
) -> tuple[tuple[RecordedPart, ...], float]:
    """Return the parts of a drawn region, each as long as an engine takes.

    The user says that there is speech, so no pause is looked for.
    """
    shape = drawn.shape
    if not isinstance(shape, AudioSpan) or shape.end - shape.start < MIN_DRAWN_SECONDS:
        raise TaskError(f'The drawn region "{drawn.id}" is too short to hold a word')
    channel = shape.channel if split_channels else None
    samples = _to_int16(file.read(RATE, shape.start, shape.end, channel))
    if not len(samples):
        raise DecodeError(
            f'The drawn region "{drawn.id}" begins at {shape.start:g} s, behind the end of the'
            " recording"
        )
    step = round(limits.seconds * RATE)
    start = max(shape.start, 0.0)
    blocks = [samples[at : at + step] for at in range(0, len(samples), step)]
    parts = tuple(
        RecordedPart(
            block,
            Timeline((Piece(0.0, start + number * step / RATE, len(block) / RATE),)),
            shape.channel,
        )
        for number, block in enumerate(blocks)
    )
    return parts, file.duration or shape.end
