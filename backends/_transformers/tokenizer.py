"""Texts to tokens, and long sequences of tokens to windows that a model can take."""

import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError

# Tokens of a row at most, even if a model would take more: attention costs their square.
MAX_TOKENS = 512
# A model's own limit below this is a mistake in its files, and is ignored.
MIN_TOKENS = 8
# Tokens that two neighbouring windows of a long text share at least.
MIN_OVERLAP_TOKENS = 64
# Model types that number positions from the padding id + 1: those before are of no token.
OFFSET_POSITION_TYPES = {
    *("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "xlm-roberta-xl"),
    *("data2vec-text", "longformer", "mpnet", "ibert"),
}
# The inputs that a network may have.
INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
# The word of a token that belongs to none.
NO_WORD = -1
_SURROGATE = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """Token ids as a model takes them; `type_ids` tell the first text of a pair from the second."""

    ids: Sequence[int]
    type_ids: Sequence[int]


@dataclass(frozen=True)
class Tokens:
    """A text's tokens: the characters (start, end) of each, the index of its word, and its id.

    Shapes (tokens, 2), (tokens,) and (tokens,); a token of no word has NO_WORD. As arrays, which
    outputs are kept with, they take a tenth of the memory. `prefix` and `suffix` are the special
    tokens around them.
    """

    offsets: NDArray[np.int32]
    word_ids: NDArray[np.int32]
    ids: NDArray[np.int32]
    prefix: Sequence[int] = ()
    suffix: Sequence[int] = ()

    @classmethod
    def of(
        cls,
        offsets: Sequence[tuple[int, int]],
        words: Sequence[int | None],
        ids: Sequence[int],
        prefix: Sequence[int] = (),
        suffix: Sequence[int] = (),
    ) -> "Tokens":
        """Return them as arrays; None is no word."""
        return cls(
            np.array(offsets, np.int32).reshape(-1, 2),
            np.array([NO_WORD if word is None else word for word in words], np.int32),
            np.array(ids, np.int32),
            prefix,
            suffix,
        )

    def build_row(self, start: int, end: int) -> Row:
        """Return the tokens from `start` to `end` (exclusive) between the special ones."""
        ids = [*self.prefix, *self.ids[start:end].tolist(), *self.suffix]
        return Row(ids, [0] * len(ids))


class Window(NamedTuple):
    """Tokens `start` to `end`, of which those from `own_start` to `own_end` count (exclusive ends).

    The others are context: their results come from the neighbouring windows.
    """

    start: int
    end: int
    own_start: int
    own_end: int


@dataclass
class Tokenizer:
    """A fast tokenizer, which knows the characters of each token.

    `pieces` is one of the library `tokenizers`. `max_tokens` is the limit in the tokenizer's files,
    if they name one. `inner` is transformers' own around it, where it was loaded by transformers:
    trainings and conversions need it.
    """

    pieces: Any
    pad_id: int
    input_names: Sequence[str]
    max_tokens: int | None
    inner: Any = None
    # Whether texts are truncated is a state of the tokenizer, which threads share.
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.pieces.no_truncation()
        self.pieces.no_padding()

    @classmethod
    def load(cls, folder: Path, model: str = "") -> "Tokenizer":
        """Load it from a model's folder without running code in it; `model` is for messages."""
        from transformers import AutoTokenizer

        inner = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not inner.is_fast:
            raise ModelError(
                f"{model or folder.name} has no fast tokenizer, which character offsets need"
            )
        names = [name for name in inner.model_input_names if name in INPUT_NAMES]
        limit = getattr(inner, "model_max_length", None)
        return cls(inner.backend_tokenizer, inner.pad_token_id or 0, names, limit, inner)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, however long."""
        if not texts:
            return []
        clean = [replace_surrogates(text) for text in texts]
        with self._lock:
            encodings = self.pieces.encode_batch(clean)
        return [_split_special_tokens(encoding) for encoding in encodings]

    def encode_pairs(self, pairs: Sequence[tuple[str, str]], max_tokens: int) -> list[Row]:
        """Return a row for each pair; its first text is truncated where both do not fit."""
        if not pairs:
            return []
        clean = [(replace_surrogates(first), replace_surrogates(second)) for first, second in pairs]
        with self._lock:  # the limit belongs to the tokenizer, and other texts have none
            self.pieces.enable_truncation(max_tokens, strategy="only_first")
            try:
                encodings = self.pieces.encode_batch(clean)
            finally:
                self.pieces.no_truncation()
        return [Row(encoding.ids, encoding.type_ids) for encoding in encodings]


def replace_surrogates(text: str) -> str:
    """Return the text with lone surrogates, which tokenizers reject, replaced one by one."""
    return _SURROGATE.sub("\ufffd", text)


def _split_special_tokens(encoding: Any) -> Tokens:
    """Separate a text's tokens from the special ones that the tokenizer added at its ends."""
    is_special = encoding.special_tokens_mask
    count = len(is_special)
    start = next((n for n, special in enumerate(is_special) if not special), count)
    end = next((n for n in range(count, start, -1) if not is_special[n - 1]), start)
    if start == count:  # an empty text: where its tokens would be does not matter
        start = end = count // 2
    ids = encoding.ids
    offsets, words = encoding.offsets[start:end], encoding.word_ids[start:end]
    return Tokens.of(offsets, words, ids[start:end], ids[:start], ids[end:])


def context_length(tokenizer: Tokenizer, config: Any) -> int:
    """Return how many tokens fit into the model at once, special ones included."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions and config.model_type in OFFSET_POSITION_TYPES:
        positions -= (config.pad_token_id or 0) + 1
    limits = (tokenizer.max_tokens, positions)
    return min([MAX_TOKENS, *(int(limit) for limit in limits if limit and limit >= MIN_TOKENS)])


def split_windows(
    word_ids: Sequence[int] | NDArray[np.int32],
    max_tokens: int,
    min_overlap: int = MIN_OVERLAP_TOKENS,
) -> Iterator[Window]:
    """Yield windows of at most `max_tokens` tokens that begin and end between words.

    Neighbours overlap by `min_overlap` tokens or more, unless words are longer than that. Each
    owns its half of the overlap, so every word is read with context on both sides.
    """
    words, count = np.asarray(word_ids), len(word_ids)
    is_border = (words[1:] == NO_WORD) | (words[1:] != words[:-1])
    boundaries = [0, *(np.flatnonzero(is_border) + 1).tolist(), count]
    start = own_start = 0
    min_overlap = min(min_overlap, max_tokens // 4)
    while count - start > max_tokens:
        end = _last_boundary(boundaries, start + max_tokens, start)
        next_start = _last_boundary(boundaries, end - min_overlap, start)
        if next_start == start or next_start > end:  # one long word: no room for an overlap
            next_start = end
        middle = bisect_right(boundaries, (next_start + end) // 2) - 1
        own_end = max(next_start, boundaries[middle])
        yield Window(start, end, own_start, own_end)
        start, own_start = next_start, own_end
    if count:
        yield Window(start, count, own_start, count)


def _last_boundary(boundaries: Sequence[int], limit: int, after: int) -> int:
    """Return the last boundary up to `limit` but beyond `after`; `limit` if there is none."""
    boundary = boundaries[bisect_right(boundaries, limit) - 1]
    return boundary if boundary > after else max(limit, after)
