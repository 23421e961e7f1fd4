"""Tags of tokens to tagged words, by one of four strategies."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._transformers.tokenizer import Tokens

# As transformers names them: each token for itself, or what speaks for the word.
STRATEGIES = ("simple", "first", "average", "max")

# What words have inside: O'Neil, U.S, Jean-Luc, AT&T.
JOINERS = frozenset("'’ʼ.-‐‑·_&@\u200c\u200d")
# Scripts that write no space between words.
SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")

Chances = NDArray[np.float32]


class Word(NamedTuple):
    """A word of the text: its characters `start` to `end` (exclusive), its tag and score."""

    start: int
    end: int
    tag: str
    score: float


def words(
    text: str, tokens: Tokens, chances: Chances, tags: Sequence[str], strategy: str
) -> list[Word]:
    """The words of a text with their tags.

    `chances` has the shape (tokens, tags). With `simple` each token is a word.
    """
    speaks, found = _SPEAKS[strategy], []
    for group in _groups(text, tokens, strategy == "simple"):
        row = speaks(chances[[token for token, _, _ in group]])
        tag = int(row.argmax())
        found.append(Word(group[0][1], group[-1][2], tags[tag], float(row[tag])))
    return found


def _first(rows: Chances) -> Any:
    return rows[0]


def _average(rows: Chances) -> Any:
    return rows.mean(axis=0)


def _max(rows: Chances) -> Any:
    return rows[rows.max(axis=1).argmax()]


_SPEAKS: Mapping[str, Callable[[Chances], Any]] = {
    "simple": _first,
    "first": _first,
    "average": _average,
    "max": _max,
}

# A token's number, and its characters from start to end (exclusive), without white space.
Place = tuple[int, int, int]


def _groups(text: str, tokens: Tokens, single: bool) -> Iterator[list[Place]]:
    """The tokens of each word."""
    group: list[Place] = []
    number: int | None = None
    for place in _places(text, tokens):
        word = tokens.word_ids[place[0]]
        apart = single or word is None or word != number
        parted = apart and group and place[1] >= group[-1][2]
        if parted or (group and _border(text, group[-1], place)):
            yield group
            group = []
        group.append(place)
        number = word
    if group:
        yield group


def _places(text: str, tokens: Tokens) -> Iterator[Place]:
    for token, (start, end) in enumerate(tokens.offsets):
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if start < end:
            yield token, start, end


def _border(text: str, last: Place, place: Place) -> bool:
    """Whether two tokens are two words to us, though one to a tokenizer that splits at spaces.

    A name and the comma after it are two, as are signs of scripts without spaces. Parts of one
    character never are.
    """
    before, start = last[2], place[1]
    if start < before:
        return False
    if start > before:
        return True
    left, right = text[before - 1], text[start]
    if _unspaced(left) and _unspaced(right):
        return True
    if _lettered(left) and _lettered(right):
        return False
    inner = (left in JOINERS and _lettered(right)) or (right in JOINERS and _lettered(left))
    return not inner or not _inside(text, before, start, place)


def _inside(text: str, before: int, start: int, place: Place) -> bool:
    """Whether letters stand on both sides of the joining sign."""
    end = place[2] if text[start] in JOINERS else start
    begin = before if text[start] in JOINERS else before - 1
    while begin > 0 and text[begin - 1] in JOINERS:
        begin -= 1
    return begin > 0 and _lettered(text[begin - 1]) and end < len(text) and _lettered(text[end])


def _lettered(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _unspaced(character: str) -> bool:
    return character > "\u0e00" and unicodedata.name(character, "").startswith(SCRIPTS)
