"""Tags of tokens to tagged words, by one of four strategies."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._transformers.tokenizer import NO_WORD, Tokens

# Named as in transformers' pipelines. With "simple" each token is a word; otherwise a word takes
# its first token's tag, the tag of the mean, or that of its surest token.
STRATEGIES = ("simple", "first", "average", "max")

# Signs inside of words: O'Neil, U.S, Jean-Luc, AT&T.
JOINERS = frozenset("'’ʼ.-‐‑·_&@\u200c\u200d")
# Scripts that write no space between words, as Unicode names begin.
UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
# No character of these scripts comes before this one.
FIRST_UNSPACED_CHARACTER = "\u0e00"

# shape (tokens, tags)
Probabilities = NDArray[np.float32]
# The numbers of each word's tokens.
TokenGroups = Sequence[Sequence[int]]


class Word(NamedTuple):
    """A word of a text: its characters `start` to `end` (exclusive), its tag and its score."""

    start: int
    end: int
    tag: str
    score: float


class Token(NamedTuple):
    """A token's number, and its characters `start` to `end` (exclusive) without white space."""

    number: int
    start: int
    end: int


def aggregate_words(
    text: str, tokens: Tokens, probabilities: Probabilities, tags: Sequence[str], strategy: str
) -> list[Word]:
    """Return the words of a text with their tags; `probabilities` has the shape (tokens, tags)."""
    groups = list(_group_tokens(text, tokens, strategy == "simple"))
    if not groups:
        return []
    rows = _ROW_SELECTORS[strategy](
        probabilities, [[one.number for one in group] for group in groups]
    )
    found = rows.argmax(axis=1)
    scores = rows[np.arange(len(rows)), found].tolist()
    return [
        Word(group[0].start, group[-1].end, tags[tag], score)
        for group, tag, score in zip(groups, found.tolist(), scores, strict=True)
    ]


def _first_tokens(probabilities: Probabilities, groups: TokenGroups) -> Probabilities:
    return probabilities[[group[0] for group in groups]]


def _mean_tokens(probabilities: Probabilities, groups: TokenGroups) -> Probabilities:
    begins = list(accumulate(map(len, groups[:-1]), initial=0))
    sums = np.add.reduceat(probabilities[list(chain.from_iterable(groups))], begins)
    return np.asarray(sums / np.array([[len(group)] for group in groups]), np.float32)


def _surest_tokens(probabilities: Probabilities, groups: TokenGroups) -> Probabilities:
    best = probabilities.max(axis=1)
    return probabilities[
        [group[0] if len(group) == 1 else group[best[group].argmax()] for group in groups]
    ]


# Each returns a row of probabilities for each word, shape (words, tags).
_ROW_SELECTORS: Mapping[str, Callable[[Probabilities, TokenGroups], Probabilities]] = {
    "simple": _first_tokens,
    "first": _first_tokens,
    "average": _mean_tokens,
    "max": _surest_tokens,
}


def _group_tokens(text: str, tokens: Tokens, single: bool) -> Iterator[list[Token]]:
    """Yield the tokens of each word; each token by itself if `single`.

    Tokens whose characters overlap are parts of one character, such as the bytes of an emoji, and
    are never separated.
    """
    group: list[Token] = []
    word_ids: list[int] = tokens.word_ids.tolist()
    last_word = NO_WORD
    for token in _trim_tokens(text, tokens):
        word = word_ids[token.number]
        is_new = single or word == NO_WORD or word != last_word
        separated = is_new and group and token.start >= group[-1].end
        if separated or (group and _is_word_border(text, group[-1], token)):
            yield group
            group = []
        group.append(token)
        last_word = word
    if group:
        yield group


def _trim_tokens(text: str, tokens: Tokens) -> Iterator[Token]:
    """Yield the tokens that are not only white space."""
    for number, (start, end) in enumerate(tokens.offsets.tolist()):
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if start < end:
            yield Token(number, start, end)


def _is_word_border(text: str, last: Token, token: Token) -> bool:
    """Return whether a word ends between two tokens, though the tokenizer sees only one word.

    Tokenizers that split at spaces take a name and the comma after it for one word, and a whole
    sentence in a script without spaces.
    """
    if token.start < last.end:  # parts of one character
        return False
    if token.start > last.end:
        return True
    left, right = text[last.end - 1], text[token.start]
    if _is_unspaced(left) and _is_unspaced(right):
        return True
    if _is_letter(left) and _is_letter(right):
        return False
    may_join = (left in JOINERS and _is_letter(right)) or (right in JOINERS and _is_letter(left))
    return not may_join or not _joins_letters(text, last.end, token)


def _joins_letters(text: str, border: int, token: Token) -> bool:
    """Return whether letters are on both sides of the joining sign at a border of tokens."""
    starts_with_joiner = text[token.start] in JOINERS
    end = token.end if starts_with_joiner else token.start
    begin = border if starts_with_joiner else border - 1
    while begin > 0 and text[begin - 1] in JOINERS:
        begin -= 1
    return begin > 0 and _is_letter(text[begin - 1]) and end < len(text) and _is_letter(text[end])


def _is_letter(character: str) -> bool:
    """Return whether it is a letter, a number or a mark on one."""
    return unicodedata.category(character)[0] in "LNM"


def _is_unspaced(character: str) -> bool:
    if character <= FIRST_UNSPACED_CHARACTER:
        return False
    return unicodedata.name(character, "").startswith(UNSPACED_SCRIPTS)
