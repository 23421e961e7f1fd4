"""Recordings, as samples."""

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording's first channel: `samples` from -1 to 1, shape (n,), `rate` a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    @classmethod
    def decode(cls, data: bytes) -> "Sound":
        """From a WAV file of 16 bits; DecodeError if it is another."""
        try:
            with wave.open(io.BytesIO(data)) as file:
                facts, frames = file.getparams(), file.readframes(-1)
        except (wave.Error, EOFError):
            raise DecodeError("The recording is no WAV file") from None
        if facts.sampwidth != 2 or not facts.framerate:
            raise DecodeError(f"The WAV file has {8 * facts.sampwidth} bits a sample, expected 16")
        samples = np.frombuffer(frames, "<i2")[:: facts.nchannels].astype(np.float32)
        return cls(samples / np.float32(32768), facts.framerate)
