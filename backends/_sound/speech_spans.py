"""From the probabilities of speech to spans of it, and to parts that an engine takes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends._sound.voice_detector import FRAME_SECONDS

# As silero-vad's own `get_speech_timestamps`: speech begins above the first and ends below the
# second, if it stays there for so many seconds; what is shorter than the next is no speech, and
# each span gets so many seconds on both sides.
START_PROBABILITY = 0.5
END_PROBABILITY = 0.35
MIN_PAUSE_SECONDS = 0.1
MIN_SPEECH_SECONDS = 0.25
PADDING_SECONDS = 0.1
# What is left of a pause that is shortened.
SHORT_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class SpeechSpan:
    """Seconds of speech, and the mean probability that they are."""

    start: float
    end: float
    score: float = 1.0

    @property
    def seconds(self) -> float:
        """The length."""
        return self.end - self.start


@dataclass(frozen=True)
class PartLimits:
    """What an engine takes at a time: so many seconds, with pauses of up to so many in them.

    `shortened` is for engines to which a part costs the same however short it is: pauses of up to
    so many seconds are shortened to `SHORT_PAUSE_SECONDS` to have more speech in a part.
    """

    seconds: float
    pause: float
    shortened: float = 0.0


def find_speech(probabilities: NDArray[np.float32], length: float) -> list[SpeechSpan]:
    """Return the spans of speech in a recording of so many seconds."""
    spans = [
        SpeechSpan(
            first * FRAME_SECONDS, last * FRAME_SECONDS, float(probabilities[first:last].mean())
        )
        for first, last in _runs(probabilities)
        if (last - first) * FRAME_SECONDS >= MIN_SPEECH_SECONDS
    ]
    return list(_padded(spans, length))


def _runs(probabilities: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of the frames of each span."""
    min_pause = round(MIN_PAUSE_SECONDS / FRAME_SECONDS)
    first, last_loud = -1, -1
    for at in np.flatnonzero(probabilities >= END_PROBABILITY):
        if first >= 0 and at - last_loud > min_pause:
            yield first, last_loud + 1
            first = -1
        if first < 0 and probabilities[at] >= START_PROBABILITY:
            first = int(at)
        last_loud = int(at)
    if first >= 0:
        yield first, last_loud + 1


def _padded(spans: Sequence[SpeechSpan], length: float) -> Iterator[SpeechSpan]:
    """Widen spans: by half of the pause between two where that is shorter."""
    for place, span in enumerate(spans):
        before = spans[place - 1].end if place else -2 * PADDING_SECONDS
        behind = spans[place + 1].start if place + 1 < len(spans) else length + 2 * PADDING_SECONDS
        start = span.start - min(PADDING_SECONDS, (span.start - before) / 2)
        end = span.end + min(PADDING_SECONDS, (behind - span.end) / 2)
        yield replace(span, start=max(start, 0.0), end=min(end, length))


def cut_parts(
    spans: Iterable[SpeechSpan], probabilities: NDArray[np.float32], limits: PartLimits
) -> list[SpeechSpan]:
    """Return the parts of a recording that an engine gets: cut at pauses, as long as it takes.

    Spans are joined while the part stays short enough. Speech without a pause is cut where it is
    least likely, in the second half of what the engine takes.
    """
    parts: list[SpeechSpan] = []
    for span in spans:
        for piece in _split_long(span, probabilities, limits.seconds):
            last = parts[-1] if parts else None
            if last is not None and _may_join(last, piece, limits):
                parts[-1] = replace(last, end=piece.end)
            else:
                parts.append(piece)
    return parts


def _may_join(last: SpeechSpan, piece: SpeechSpan, limits: PartLimits) -> bool:
    return piece.end - last.start <= limits.seconds and piece.start - last.end <= limits.pause


def _split_long(
    span: SpeechSpan, probabilities: NDArray[np.float32], seconds: float
) -> Iterator[SpeechSpan]:
    start = span.start
    while span.end - start > seconds:
        low, high = (round((start + part) / FRAME_SECONDS) for part in (seconds / 2, seconds))
        cut = (low + int(np.argmin(probabilities[low:high]))) * FRAME_SECONDS
        yield SpeechSpan(start, cut, span.score)
        start = cut
    yield SpeechSpan(start, span.end, span.score)


def pack_parts(cuts: Iterable[SpeechSpan], limits: PartLimits) -> list[tuple[SpeechSpan, ...]]:
    """Return the spans that each part is made of: several where pauses between them are shortened.

    `cuts` are of `cut_parts`. Spans of one part keep half of the short pause on each side.
    """
    packs: list[list[SpeechSpan]] = []
    for cut in cuts:
        pack = packs[-1] if packs else []
        if pack and cut.start - pack[-1].end <= limits.shortened:
            speech = sum(span.seconds for span in (*pack, cut))
            if speech + SHORT_PAUSE_SECONDS * len(pack) <= limits.seconds:
                pack.append(cut)
                continue
        packs.append([cut])
    return [tuple(_with_pauses(pack)) for pack in packs]


def _with_pauses(pack: Sequence[SpeechSpan]) -> Iterator[SpeechSpan]:
    half = SHORT_PAUSE_SECONDS / 2
    for place, span in enumerate(pack):
        start = span.start - half if place else span.start
        end = span.end + half if place < len(pack) - 1 else span.end
        yield replace(span, start=start, end=end)
