"""A transformers token classifier: texts of any length to the chances of their tokens' tags."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from backends._transformers.runners import softmax
from backends._transformers.tokenizer import Row, Tokenizer, Tokens, Window, split_windows
from backends.ner.sentence_splitter import gaps
from backends.ner.word_aggregation import Chances
from shared.settings import Settings


class TokenScores(NamedTuple):
    """A text as the model read it: its tokens, and their tags' chances, (tokens, tags)."""

    text: str
    tokens: Tokens
    chances: Chances


@dataclass
class TokenClassifier:
    """The tokenizer and the network."""

    tokenizer: Tokenizer
    network: Network

    @classmethod
    def load(cls, source: ModelSource, settings: Settings) -> "TokenClassifier":
        """From a folder of transformers; code in it is not run."""
        tokenizer = Tokenizer.load(source.folder, source.name)
        return cls(tokenizer, Network.load(source, tokenizer, settings))

    @property
    def tags(self) -> Sequence[str]:
        """The tags' names, in the order of the chances."""
        return self.network.labels

    def read(self, texts: Sequence[str]) -> list[TokenScores]:
        """Each text, however long.

        What the model cannot take at once is read sentence by sentence, as it has learnt to; a
        sentence that is still too long in windows, whose middle parts are put together again.
        """
        encoded = self.tokenizer.encode(texts)
        parts: list[tuple[int, Window]] = []
        rows: list[Row] = []
        for index, tokens in enumerate(encoded):
            room = self.network.max_tokens - len(tokens.prefix) - len(tokens.suffix)
            for start, end in sentences(texts[index], tokens, room):
                for found in split_windows(tokens.word_ids[start:end], room):
                    window = Window(*(place + start for place in found))
                    parts.append((index, window))
                    rows.append(tokens.build_row(window.start, window.end))
        shapes = ((len(tokens.ids), len(self.tags)) for tokens in encoded)
        chances = [np.zeros(shape, np.float32) for shape in shapes]
        for (index, window), logits in zip(parts, self.network.run(rows), strict=True):
            before = len(encoded[index].prefix) - window.start
            part = softmax(logits[before + window.own_start : before + window.own_end])
            chances[index][window.own_start : window.own_end] = part
        return [TokenScores(*read) for read in zip(texts, encoded, chances, strict=True)]


def sentences(text: str, tokens: Tokens, room: int) -> Iterator[tuple[int, int]]:
    """Tokens from start to end (exclusive): all of them, or each sentence if they are too many."""
    count = len(tokens.ids)
    starts = [start for start, _ in tokens.offsets]
    begin = 0
    for last, first in gaps(text) if count > room else ():
        end = bisect_left(starts, last)
        if begin < end:
            yield begin, end
        begin = max(begin, bisect_left(starts, first))
    if begin < count:
        yield begin, count
