"""Texts without what two spellings of one text differ in, and the way back to their characters."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Printable ASCII, which needs nothing but lower case.
ASCII_RUN = re.compile(r"[!-~]+")
SPACES = re.compile(r"\s+")
# Typographic characters that models write plainly, and plain ones that they write so.
PLAIN_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)
# Scripts that put no space between words, and Korean, which puts particles after them.
UNSPACED_SCRIPTS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class FoldedText:
    """A text in one case, compatibility form (NFKD) and with single spaces.

    `starts` and `ends` (exclusive) are the code points of the original that each character of
    `text` comes from. Several may come from one ("ﬁ"), and one from several ("é" in two).
    """

    text: str
    starts: list[int]
    ends: list[int]

    def original_span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the original's code points; None if they would begin or end inside of one."""
        if not 0 <= start < end <= len(self.text):
            return None
        if start and self.starts[start] == self.starts[start - 1]:
            return None
        if end < len(self.text) and self.starts[end] == self.starts[end - 1]:
            return None
        return self.starts[start], self.ends[end - 1]

    def folded_offset(self, offset: int) -> int:
        """Return the first character that comes from the original's `offset` or behind it."""
        return bisect_left(self.starts, offset)


def fold_text(text: str) -> FoldedText:
    """Fold a text: case, white space, invisible and typographic characters, Unicode forms."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end, folded in _fold_parts(text):
        parts.append(folded)
        if len(folded) == end - start and (end - start == 1 or folded.isascii()):
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        else:
            starts.extend([start] * len(folded))
            ends.extend([end] * len(folded))
    return FoldedText("".join(parts), starts, ends)


def _fold_parts(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and folded text: of runs of ASCII, and else of single characters."""
    start = 0
    while start < len(text):
        run = ASCII_RUN.match(text, start) or SPACES.match(text, start)
        end = start + 1 if run is None else run.end()
        marks_end = _marks_end(text, end)
        if run is not None and run[0].isspace():
            yield start, end, " "
        elif run is not None and marks_end == end:
            yield start, end, fold_character(run[0])
        elif run is not None and end - start > 1:  # the last one has marks
            end -= 1
            yield start, end, fold_character(text[start:end])
        else:
            end = marks_end
            yield start, end, fold_character(text[start:end])
        start = end


def _marks_end(text: str, start: int) -> int:
    """Return where the marks that follow a character end: they belong to it."""
    while start < len(text) and is_mark(text[start]):
        start += 1
    return start


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Return a character with its marks as it is compared; several of ASCII are several."""
    if character.isascii():
        return character.lower().translate(PLAIN_CHARACTERS)
    plain = character.translate(PLAIN_CHARACTERS).casefold()
    decomposed = unicodedata.normalize("NFKD", plain).translate(PLAIN_CHARACTERS)
    return "".join(part for part in decomposed if not _is_invisible(part))


def _is_invisible(character: str) -> bool:
    """Return whether a character is not seen: joiners, soft hyphens, variation selectors."""
    hidden = unicodedata.category(character) in {"Cf", "Cc"}
    return hidden or "\ufe00" <= character <= "\ufe0f"


def is_mark(character: str) -> bool:
    """Return whether a character changes the one before it: an accent, a joiner, a skin tone."""
    if character < "\u0080":
        return False
    return (
        unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def is_word_border(text: str, offset: int) -> bool:
    """Return whether neither a word nor a character with its marks continues across an offset."""
    if not 0 < offset < len(text):
        return True
    before, after = text[offset - 1], text[offset]
    if is_mark(after):
        return False
    if not (_is_word_part(before) and _is_word_part(after)):
        return True
    return bool(UNSPACED_SCRIPTS.match(before) or UNSPACED_SCRIPTS.match(after))


def _is_word_part(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
