"""Long texts cut into windows, at the ends of paragraphs and sentences where there are any."""

import re
from collections.abc import Iterator

from backends.prompt.folded_text import is_mark
from shared.backend import Passage, Passages
from shared.results import Dialogue

# The next window begins between an eighth and a sixteenth of the length before the end of the one
# before: so what is shorter than a sixteenth is in one of them as a whole.
OVERLAP_SHARE = 8
# Where a window may end, the best place first: paragraph, line, sentence, word.
BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’»)\]]*\s+|[。！？]"),
    re.compile(r"\s+"),
)

# Start and end (exclusive) in a text, in code points.
Span = tuple[int, int]


def cut_text(text: str, max_characters: int) -> Iterator[Span]:
    """Yield windows of at most `max_characters` that cover a text; neighbours overlap."""
    start = 0
    while len(text) - start > max_characters:
        end = _find_end(text, start, max_characters)
        yield start, end
        start = max(start + 1, _find_start(text, end, max_characters // OVERLAP_SHARE))
    yield start, len(text)


def _find_end(text: str, start: int, max_characters: int) -> int:
    """Return the last good place for an end in the second half of a window."""
    latest = start + max_characters
    earliest = start + (max_characters + 1) // 2
    for border in BORDERS:
        ends = [found.end() for found in border.finditer(text, earliest, latest)]
        if ends:
            return ends[-1]
    while latest > earliest and is_mark(text[latest]):
        latest -= 1
    return latest


def _find_start(text: str, end: int, overlap: int) -> int:
    """Return the first good place for a start between `overlap` and half of it before `end`."""
    earliest, latest = end - overlap, end - overlap // 2
    for border in BORDERS[1:]:
        found = border.search(text, earliest, latest)
        if found is not None:
            return found.end()
    while earliest < end and is_mark(text[earliest]):
        earliest += 1
    return earliest


def cut_passages(passages: Passages, written: str, window: Span) -> Passages | None:
    """Return what of passages is in a window of the text that was written of them.

    None if the text has been written otherwise than `passage_starts` expects.
    """
    starts = passage_starts(passages, written)
    if starts is None:
        return None
    cut: list[Passage] = []
    for passage, at in zip(passages.passages, starts, strict=True):
        first = max(window[0] - at, 0)
        last = min(window[1] - at, len(passage.text))
        if first < last:
            start = passage.start + first
            cut.append(Passage(passage.text[first:last], start, passage.paragraph))
    return Passages(passages.source, tuple(cut))


def passage_starts(passages: Passages, written: str) -> list[int] | None:
    """Return where each passage begins in a text that has them line by line, after their speakers.

    None if the text does not.
    """
    source = passages.source
    names = source.names if isinstance(source, Dialogue) else ()
    starts: list[int] = []
    at = 0
    for passage in passages.passages:
        speaker = f"{names[passage.paragraph]}: " if names and names[passage.paragraph] else ""
        at += len(speaker)
        if not written.startswith(passage.text, at):
            return None
        starts.append(at)
        at += len(passage.text) + 1
    return starts
