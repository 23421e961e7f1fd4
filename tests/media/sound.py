"""Recordings of tones, in the formats that browsers play."""

import io
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYOUTS = {1: "mono", 2: "stereo"}
# By name: PyAV's container and codec, and samples a second.
FORMATS = {
    "wav": ("wav", "pcm_s16le", 16_000),
    "telephone": ("wav", "pcm_mulaw", 8_000),
    "wav of 24 bits": ("wav", "pcm_s24le", 44_100),
    "flac": ("flac", "flac", 44_100),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "m4a": ("mp4", "aac", 44_100),
    "aac": ("adts", "aac", 44_100),
    "webm": ("webm", "libopus", 48_000),
    "aiff": ("aiff", "pcm_s16be", 44_100),
}


def tones(hertz: Sequence[float], seconds: float = 2.0, rate: int = 16_000) -> NDArray[np.float32]:
    """A tone on each channel, from second 0.5 on: shape (channels, samples)."""
    time = np.arange(round(seconds * rate)) / rate
    heard = 0.3 * (time >= 0.5)
    return np.stack([heard * np.sin(2 * np.pi * one * time) for one in hertz]).astype(np.float32)


def encode_sound(samples: NDArray[Any], kind: str) -> bytes:
    """A file of `FORMATS` with one or two channels of samples, from -1 to 1, at its rate."""
    import av

    container, codec, rate = FORMATS[kind]
    out, layout = io.BytesIO(), LAYOUTS[len(samples)]
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), "fltp", layout)
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return out.getvalue()


def encode_wav(samples: NDArray[Any], rate: int = 16_000) -> bytes:
    """A WAV file of 16 bits with any number of channels."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples.T * 32767).astype("<i2").tobytes())
    return out.getvalue()
