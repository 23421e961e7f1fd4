"""Recordings for examples: sentences spoken by espeak-ng, pauses and noise."""

import io
import subprocess
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.media.audio import AudioFile, AudioLimits

RATE = 16_000
CODECS = {"flac": "flac", "mp3": "libmp3lame"}
# How loud the noise of a room is, and that of something in it.
ROOM, LOUD = 0.0005, 0.05

# A sentence; a pause of so many seconds; or ("noise", seconds).
Part = str | float | tuple[str, float]


def speak(text: str, voice: str = "en-us", words_per_minute: int = 140) -> NDArray[np.float32]:
    """Return a sentence as espeak-ng speaks it: samples of shape (n,) at 16 kHz."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    samples = AudioFile.open(spoken, AudioLimits(60.0)).read(RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return np.asarray(samples[loud[0] : loud[-1] + 1])


def record(parts: Sequence[Part]) -> NDArray[np.float32]:
    """Return sentences, pauses and noise, one after the other in a room."""
    random = np.random.default_rng(0)
    sounds: list[NDArray[np.floating]] = []
    for part in parts:
        seconds = part[1] if isinstance(part, tuple) else part
        if isinstance(seconds, str):
            sounds.append(speak(seconds))
        else:
            loud = LOUD if isinstance(part, tuple) else 0.0
            sounds.append(random.normal(0, loud, round(seconds * RATE)))
    recording = np.concatenate(sounds)
    heard = recording + random.normal(0, ROOM, len(recording))
    return np.asarray(heard, np.float32)


def encode(samples: NDArray[np.float32], kind: str) -> bytes:
    """Return a file of a kind in CODECS."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=kind) as file:
        stream = file.add_stream(CODECS[kind], rate=RATE, layout="mono")
        whole = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole[None], "s16", "mono")
        frame.sample_rate = RATE
        converted = av.AudioResampler(format=stream.format, rate=RATE).resample(frame)
        for made in (*converted, None):
            file.mux(stream.encode(made))
    return out.getvalue()
