"""What an engine gets, and what it heard."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.media.audio import Samples

# Languages that are written without spaces between words (ISO 639-1, as Whisper names them).
UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})


@dataclass(frozen=True)
class SpeechOptions:
    """How speech is transcribed; `language` is a code, or None where it is to be found.

    `task` is "transcribe" or "translate" (to English).
    """

    language: str | None = None
    task: str = "transcribe"
    hot_words: str = ""
    words: bool = False


@dataclass(frozen=True, eq=False)
class SpeechPart:
    """A part of a recording: samples of shape (n,) at 16 kHz, from -1 to 1."""

    samples: Samples
    options: SpeechOptions


@dataclass(frozen=True)
class Piece:
    """Where a piece of a part comes from: both seconds at which it begins, and its length."""

    in_part: float
    in_recording: float
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """The pieces of a recording that a part is made of, in order."""

    pieces: tuple[Piece, ...]

    @property
    def start(self) -> float:
        """The second of the recording at which the part begins."""
        return self.pieces[0].in_recording

    @property
    def end(self) -> float:
        """The second of the recording at which the part ends."""
        return self.pieces[-1].in_recording + self.pieces[-1].seconds

    def place_start(self, second: float) -> float:
        """Return the second of the recording for one at which something begins in the part."""
        begun = (piece for piece in reversed(self.pieces) if piece.in_part <= second)
        return _move(second, next(begun, self.pieces[0]))

    def place_end(self, second: float) -> float:
        """Return the second of the recording for one at which something ends in the part."""
        over = (piece for piece in self.pieces if second <= piece.in_part + piece.seconds)
        return _move(second, next(over, self.pieces[-1]))


def _move(second: float, piece: Piece) -> float:
    return piece.in_recording + min(max(second - piece.in_part, 0.0), piece.seconds)


@dataclass(frozen=True)
class Word:
    """A word, its seconds from the start of the part, and its probability."""

    start: float
    end: float
    text: str
    score: float | None = None


@dataclass(frozen=True)
class Segment:
    """A sentence or so: its seconds, text, and mean probability where the engine knows it."""

    start: float
    end: float
    text: str
    score: float | None = None
    language: str | None = None
    words: tuple[Word, ...] = ()
    channel: int = 0

    def moved(self, timeline: Timeline, channel: int) -> "Segment":
        """Return the segment of a part with the times of the recording."""
        words = tuple(
            replace(
                word,
                start=(start := timeline.place_start(word.start)),
                end=max(start, timeline.place_end(word.end)),
            )
            for word in self.words
        )
        start = timeline.place_start(self.start)
        end = max(start, timeline.place_end(self.end))
        return replace(self, start=start, end=end, words=words, channel=channel)


def join_text(segments: Iterable[Segment]) -> str:
    """Return the text of segments in one line, with spaces where their language has them."""
    text = ""
    for segment in segments:
        part = segment.text.strip()
        spaced = text and segment.language not in UNSPACED_LANGUAGES
        text += f" {part}" if spaced and part else part
    return text
