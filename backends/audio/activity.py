"""Voice activity: spans of speech, of other sounds, and of silence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends._sound.speech_spans import SpeechSpan, find_speech
from backends._sound.voice_detector import FRAME_SAMPLES, FRAME_SECONDS, RATE, VoiceDetector
from backends.audio.sound import Recording

# What is louder than this and no speech is another sound; quieter is silence.
SILENCE_DECIBELS = -45.0
# Spans of other sounds and of silence last at least so long; shorter interruptions are bridged.
MIN_SECONDS = 0.3
MAX_GAP_SECONDS = 0.2


@dataclass(frozen=True)
class ActivitySpan:
    """Seconds of a channel with one kind of sound: "speech", "noise" or "silence"."""

    kind: str
    start: float
    end: float
    score: float
    channel: int = 0


def find_activity(
    recording: Recording, detector: VoiceDetector, channel: int = 0
) -> list[ActivitySpan]:
    """Return the spans of a channel at 16 kHz, by their start. Those of speech go before others."""
    probabilities = detector.probabilities(recording.blocks(channel))
    speech = find_speech(probabilities, recording.length)
    spans = [ActivitySpan("speech", one.start, one.end, one.score, channel) for one in speech]
    levels = _frame_levels(recording.samples[channel])
    silent = ~_covered(speech, len(levels))
    loud = levels >= SILENCE_DECIBELS
    for kind, chosen in (("noise", silent & loud), ("silence", silent & ~loud)):
        for first, last in _runs(chosen, silent):
            score = float(1 - probabilities[first:last].mean())
            end = min(last * FRAME_SECONDS, recording.length)
            spans.append(ActivitySpan(kind, first * FRAME_SECONDS, end, score, channel))
    return sorted(spans, key=lambda span: span.start)


def _frame_levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the level of each frame in decibels of full scale, shape (frames,)."""
    missing = -len(samples) % FRAME_SAMPLES
    levels = []
    step = FRAME_SAMPLES * RATE // 10
    for start in range(0, len(samples), step):
        part = samples[start : start + step].astype(np.float64) / 32_768
        part = np.pad(part, (0, missing)) if start + step >= len(samples) else part
        power = (part.reshape(-1, FRAME_SAMPLES) ** 2).mean(axis=1)
        levels.append(10 * np.log10(power + 1e-12))
    return np.concatenate(levels) if levels else np.zeros(0)


def _covered(speech: list[SpeechSpan], frames: int) -> NDArray[np.bool_]:
    """Return for each frame whether a span of speech touches it."""
    found = np.zeros(frames, np.bool_)
    for span in speech:
        found[int(span.start / FRAME_SECONDS) : int(np.ceil(span.end / FRAME_SECONDS))] = True
    return found


def _runs(chosen: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of runs, over short gaps in which no speech is."""
    gap = round(MAX_GAP_SECONDS / FRAME_SECONDS)
    first = last = -1
    for at in np.flatnonzero(chosen):
        if first >= 0 and (at - last > gap or not allowed[last:at].all()):
            if (last + 1 - first) * FRAME_SECONDS >= MIN_SECONDS:
                yield first, last + 1
            first = -1
        first = int(at) if first < 0 else first
        last = int(at)
    if first >= 0 and (last + 1 - first) * FRAME_SECONDS >= MIN_SECONDS:
        yield first, last + 1
