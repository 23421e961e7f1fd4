"""Texts to tokens, and long rows of tokens to windows that a model can take."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import ModelError

# Tokens of a window where the model names no limit of its own.
LONGEST = 512
SHORTEST = 8
# Tokens that two windows of a long text have in common, at the least.
STRIDE = 64
# Kinds of network that count positions from the one after the padding's number: those up to it are
# of no token.
PADDED_POSITIONS = {
    *("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "xlm-roberta-xl"),
    *("data2vec-text", "longformer", "mpnet", "ibert"),
}
_SURROGATES = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """Token ids as a model takes them, and the number of the text of a pair that each is in."""

    ids: Sequence[int]
    types: Sequence[int]


@dataclass(frozen=True)
class Tokens:
    """A text's tokens: characters of each (start, end), the number of its word, and its id.

    `head` and `tail` are the special tokens before and after.
    """

    offsets: Sequence[tuple[int, int]]
    words: Sequence[int | None]
    ids: Sequence[int]
    head: Sequence[int]
    tail: Sequence[int]

    def row(self, start: int, end: int) -> Row:
        """The tokens from `start` to `end` (exclusive) between the special ones."""
        ids = [*self.head, *self.ids[start:end], *self.tail]
        return Row(ids, [0] * len(ids))


class Window(NamedTuple):
    """Tokens `start` to `end`; of these it speaks for `first` to `last` (all ends exclusive)."""

    start: int
    end: int
    first: int
    last: int


@dataclass
class Tokenizer:
    """A fast tokenizer: it knows the characters of each token."""

    inner: Any

    @classmethod
    def load(cls, folder: Path, model: str = "") -> "Tokenizer":
        """From a folder of transformers; code in it is not run. `model` is for messages."""
        from transformers import AutoTokenizer

        inner = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not inner.is_fast:
            raise ModelError(f"{model or folder.name} has no fast tokenizer; offsets need one")
        return cls(inner)

    @property
    def limit(self) -> int | None:
        """Tokens of a text, as its files say."""
        return getattr(self.inner, "model_max_length", None)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text, however long."""
        if not texts:
            return []
        encoded = self.inner([readable(text) for text in texts], verbose=False)
        return [_tokens(encoding) for encoding in encoded.encodings]

    def pairs(self, pairs: Sequence[tuple[str, str]], room: int) -> list[Row]:
        """Rows of two texts each, of which the first is cut where both do not fit."""
        if not pairs:
            return []
        first, second = ([readable(text) for text in side] for side in zip(*pairs, strict=True))
        encoded = self.inner(first, second, truncation="only_first", max_length=room)
        return [Row(encoding.ids, encoding.type_ids) for encoding in encoded.encodings]


def readable(text: str) -> str:
    """The text, character for character, without halves of pairs, which no tokenizer takes."""
    return _SURROGATES.sub("\ufffd", text)


def _tokens(encoding: Any) -> Tokens:
    """The special tokens that the tokenizer adds stand at the ends."""
    added = encoding.special_tokens_mask
    start = next((n for n, special in enumerate(added) if not special), len(added))
    end = next((n for n in range(len(added), start, -1) if not added[n - 1]), start)
    if start == len(added):  # an empty text: where its tokens would be does not matter
        start = end = len(added) // 2
    ids = encoding.ids
    offsets, words = encoding.offsets[start:end], encoding.word_ids[start:end]
    return Tokens(offsets, words, ids[start:end], ids[:start], ids[end:])


def max_tokens(tokenizer: Tokenizer, config: Any) -> int:
    """Return how many tokens fit the model at once, its special ones included."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions and config.model_type in PADDED_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    limits = (tokenizer.limit, positions)
    return min([LONGEST, *(int(limit) for limit in limits if limit and limit >= SHORTEST)])


def windows(words: Sequence[int | None], room: int, stride: int = STRIDE) -> Iterator[Window]:
    """Parts of at most `room` tokens that begin and end at the bounds of words.

    Each overlaps the next by at least `stride` tokens, unless words are longer than that. What
    both hold is the earlier one's up to the middle, so each word is read with context around it.
    """
    count = len(words)
    bounds = [n for n in range(1, count) if words[n] is None or words[n] != words[n - 1]]
    bounds = [0, *bounds, count]
    start = first = 0
    stride = min(stride, room // 4)
    while count - start > room:
        end = _bound(bounds, start + room, start)
        following = _bound(bounds, end - stride, start)
        if following == start or following > end:
            following = end
        middle = bisect_right(bounds, (following + end) // 2) - 1
        last = max(following, bounds[middle])
        yield Window(start, end, first, last)
        start, first = following, last
    if count:
        yield Window(start, count, first, count)


def _bound(bounds: Sequence[int], wanted: int, above: int) -> int:
    """The last bound at or before a place but after another; the place itself if none is there."""
    found = bounds[bisect_right(bounds, wanted) - 1]
    return found if found > above else max(wanted, above)
