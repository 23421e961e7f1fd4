"""What is heard of a recording: windows of its samples, and what a model said of each."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.media.audio import AudioFile, Samples
from shared.results import ParsedRegion

# Samples are kept as integers of 16 bits, in half of the memory.
SCALE = 32_768.0
# Windows that go through the network as one part of a recording.
WINDOWS_PER_PART = 16


@dataclass(frozen=True)
class Window:
    """Seconds of a channel, and what for: "whole", "event" or "segment"."""

    start: float
    end: float
    purpose: str
    channel: int = 0


@dataclass(frozen=True)
class Heard:
    """What the model said of a window: a number for each class, larger for likelier."""

    window: Window
    logits: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Recording:
    """The samples of each channel, of 16 bits, shape (channels, n), or the one that is mixed."""

    samples: NDArray[np.int16]
    rate: int
    digest: str

    @property
    def length(self) -> float:
        """The length in seconds."""
        return round(self.samples.shape[1] / self.rate, 6)

    @classmethod
    def empty(cls) -> "Recording":
        """Return a recording of no length."""
        return cls(np.zeros((1, 0), np.int16), 1, "")

    @classmethod
    def read(cls, file: AudioFile, rate: int, split_channels: bool) -> "Recording":
        """Read a file at a rate; DecodeError if its channels together are too long."""
        with closing(file.blocks(rate, by_channel=split_channels)) as blocks:
            kept = [
                _to_int16(block if split_channels else file.pick_channel(block, None)[None])
                for block in blocks
            ]
        return cls(np.concatenate(kept, axis=1), rate, file.digest) if kept else cls.empty()

    def window(self, window: Window) -> Samples:
        """Return the samples of a window from -1 to 1, shape (n,)."""
        first, last = round(window.start * self.rate), round(window.end * self.rate)
        part = self.samples[min(window.channel, len(self.samples) - 1), first:last]
        return part.astype(np.float32) / np.float32(SCALE)

    def blocks(self, channel: int, seconds: float = 60.0) -> Iterable[Samples]:
        """Yield a channel's samples in blocks."""
        step = round(seconds * self.rate)
        for start in range(0, self.samples.shape[1], step):
            yield self.samples[channel, start : start + step].astype(np.float32) / np.float32(SCALE)


def _to_int16(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.round(samples * SCALE), -SCALE, SCALE - 1).astype(np.int16)


@dataclass(frozen=True, eq=False)
class SoundInput:
    """The windows of a recording that a model gets. `names` are the classes of a zero-shot model.

    `drawn` is the region that the user has drawn.
    """

    recording: Recording
    windows: tuple[Window, ...]
    names: tuple[str, ...] = ()
    template: str = "{}"
    drawn: ParsedRegion | None = None

    def split_windows(self) -> "Sequence[SoundInput]":
        """Return an input for every few windows; itself if there are few."""
        starts = range(0, len(self.windows), WINDOWS_PER_PART)
        return [
            replace(self, windows=self.windows[start : start + WINDOWS_PER_PART])
            for start in starts
        ] or [self]

    def cache_key(self) -> tuple[Any, ...]:
        """Return what the output depends on, without the samples."""
        drawn = None if self.drawn is None else self.drawn.id
        sound = self.recording
        key = sound.digest, len(sound.samples), sound.rate
        return *key, self.windows, self.names, self.template, drawn


@dataclass(frozen=True)
class SoundOutput:
    """What was heard in the windows of a recording of so many seconds.

    `exclusive`: the model's classes exclude each other; `named`: they are those asked for.
    """

    heard: tuple[Heard, ...] = ()
    length: float = 0.0
    exclusive: bool = True
    named: bool = False
    drawn: ParsedRegion | None = field(default=None, compare=False)

    @classmethod
    def join(cls, outputs: "Sequence[SoundOutput]") -> "SoundOutput":
        """Join the outputs of all parts of a recording."""
        return replace(outputs[0], heard=tuple(one for out in outputs for one in out.heard))


def cut_windows(length: float, seconds: float, step: float, purpose: str) -> list[Window]:
    """Return windows of so many seconds, one each `step`; the last ones end with the recording."""
    count = max(int(np.ceil((length - seconds) / step)), 0) + 1
    found = [
        Window(start, min(start + seconds, length), purpose)
        for start in (place * step for place in range(count))
    ]
    return [window for window in found if window.end > window.start]
