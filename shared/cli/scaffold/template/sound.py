"""Recordings, as samples."""

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.backend import DecodeError


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording's first channel: `samples` from -1 to 1, shape (n,), `rate` per second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return len(self.samples) / self.rate

    @classmethod
    def decode(cls, data: bytes) -> "Sound":
        """Decode a WAV file of 16 bits; DecodeError for any other."""
        try:
            with wave.open(io.BytesIO(data)) as file:
                header, frames = file.getparams(), file.readframes(-1)
        except (wave.Error, EOFError):
            raise DecodeError("The recording is not a WAV file") from None
        if header.sampwidth != 2 or not header.framerate:
            bits = 8 * header.sampwidth
            raise DecodeError(f"The WAV file has {bits} bits per sample, expected 16")
        samples = np.frombuffer(frames, "<i2")[:: header.nchannels].astype(np.float32)
        return cls(samples / np.float32(32768), header.framerate)
