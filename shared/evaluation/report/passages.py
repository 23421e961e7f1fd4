"""Texts with the spans of a task: plain text, the text of HTML, and dialogues."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from shared.backend.passages import Passage
from shared.evaluation.report.marks import Kind, Mark
from shared.results import Dialogue, HyperTextSpan, ParagraphSpan, TextSpan

# A longer text is shown in excerpts: this much around each span.
LONG_TEXT = 1500
CONTEXT = 120
# Characters of one task's texts at most.
MAX_CHARACTERS = 6000


class MarkedSpan(NamedTuple):
    """Characters `start` to `end` of a line, and their mark."""

    start: int
    end: int
    mark: Mark


@dataclass(frozen=True)
class Underline:
    """One line under a piece of text; `lane` counts from 0, the nearest to the text."""

    kind: Kind
    lane: int


@dataclass(frozen=True)
class Piece:
    """A piece of text with the same lines under it, and the marks that end with it.

    A `gap` stands for text that is left out.
    """

    text: str
    underlines: Sequence[Underline] = ()
    ends: Sequence[Mark] = ()
    gap: bool = False


@dataclass(frozen=True)
class Line:
    """A text, or a paragraph of a dialogue with its speaker."""

    pieces: Sequence[Piece]
    name: str = ""


def mark_text(text: str, marks: Iterable[Mark]) -> list[Line]:
    """Mark the spans of a plain text."""
    return [Line(_split_text(text, _spans_of(marks)))]


def mark_passages(passages: Sequence[Passage], marks: Iterable[Mark]) -> list[Line]:
    """Mark the spans of an HTML document; of a long one only passages with spans are kept."""
    spans = _spans_of(marks)
    is_long = sum(len(passage.text) for passage in passages) > LONG_TEXT
    lines = []
    for text, start, _ in passages:
        own = [MarkedSpan(s.start - start, s.end - start, s.mark) for s in spans]
        if not is_long or any(span.start < len(text) and span.end > 0 for span in own):
            lines.append(Line(_split_text(text, own)))
    return lines


def _spans_of(marks: Iterable[Mark]) -> list[MarkedSpan]:
    return [
        MarkedSpan(int(mark.region.shape.start), int(mark.region.shape.end), mark)
        for mark in _without_equal_truths(marks)
        if isinstance(mark.region.shape, TextSpan | HyperTextSpan)
    ]


def mark_dialogue(dialogue: Dialogue, marks: Iterable[Mark]) -> list[Line]:
    """Mark the spans of a dialogue; of a long one only paragraphs with spans are kept."""
    spans: dict[int, list[MarkedSpan]] = {}
    for mark in _without_equal_truths(marks):
        if isinstance(mark.region.shape, ParagraphSpan):
            for number, span in _split_span(dialogue, mark, mark.region.shape):
                spans.setdefault(number, []).append(span)
    is_long = sum(map(len, dialogue.texts)) > LONG_TEXT
    shown = sorted(spans) if is_long else range(len(dialogue.texts))
    names = dialogue.names
    return [
        Line(_split_text(dialogue.texts[at], spans.get(at, ())), names[at] if names else "")
        for at in shown
    ]


def _split_span(
    dialogue: Dialogue, mark: Mark, span: ParagraphSpan
) -> Iterable[tuple[int, MarkedSpan]]:
    last = span.paragraph if span.last is None else span.last
    for number in range(max(span.paragraph, 0), min(last + 1, len(dialogue.texts))):
        start = span.start if number == span.paragraph else 0
        end = span.end if number == last else len(dialogue.texts[number])
        yield number, MarkedSpan(start, end, mark)


def _without_equal_truths(marks: Iterable[Mark]) -> list[Mark]:
    """Leave out true spans that the prediction hit exactly: one line under them is enough."""
    several = list(marks)
    hits = {(mark.region.shape, mark.label) for mark in several if mark.kind == "hit"}
    return [m for m in several if m.kind != "truth" or (m.region.shape, m.label) not in hits]


def _split_text(text: str, spans: Sequence[MarkedSpan]) -> list[Piece]:
    inside = [
        MarkedSpan(max(span.start, 0), min(span.end, len(text)), span.mark)
        for span in spans
        if span.start < len(text) and span.end > 0 and span.start < span.end
    ]
    laned = _assign_lanes(inside)
    windows = _windows(text, inside)
    ends_of_spans = (at for span in inside for at in (span.start, span.end))
    cuts = sorted({0, len(text), *ends_of_spans, *(at for window in windows for at in window)})
    pieces: list[Piece] = []
    for start, end in pairwise(cuts):
        if not any(low <= start and end <= high for low, high in windows):
            if not pieces or not pieces[-1].gap:
                pieces.append(Piece("", gap=True))
            continue
        over = [(span, lane) for span, lane in laned if span.start <= start and end <= span.end]
        lines = [Underline(span.mark.kind, lane) for span, lane in over]
        ends = [span.mark for span, _ in over if span.end == end]
        pieces.append(Piece(text[start:end], lines, ends))
    return pieces


def _assign_lanes(spans: Iterable[MarkedSpan]) -> list[tuple[MarkedSpan, int]]:
    """Give spans that overlap different lanes; the longer of two that begin together comes last."""
    lanes: list[list[MarkedSpan]] = []
    found = []
    for span in sorted(spans, key=lambda span: (span.end - span.start, span.start)):
        lane = next(
            (at for at, taken in enumerate(lanes) if not any(_overlap(span, t) for t in taken)),
            len(lanes),
        )
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append(span)
        found.append((span, lane))
    return sorted(found, key=lambda pair: (-pair[1], pair[0].start))


def _overlap(one: MarkedSpan, other: MarkedSpan) -> bool:
    return one.start < other.end and other.start < one.end


def _windows(text: str, spans: Iterable[MarkedSpan]) -> list[tuple[int, int]]:
    """Return what is shown of a text: all of it, or the surroundings of the spans."""
    if len(text) <= LONG_TEXT:
        return [(0, len(text))]
    windows: list[tuple[int, int]] = []
    left = MAX_CHARACTERS
    for span in sorted(spans, key=lambda span: span.start):
        low, high = max(span.start - CONTEXT, 0), min(span.end + CONTEXT, len(text))
        if windows and low <= windows[-1][1]:
            low = windows.pop()[0]
        else:
            left -= high - low
        if left < 0:
            break
        windows.append((low, max(high, low)))
    return windows or [(0, LONG_TEXT)]
