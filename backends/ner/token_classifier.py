"""A transformers token classifier: the probability of each tag, for each token of a text."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._transformers.engine import load_text_model
from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from backends._transformers.runners import softmax
from backends._transformers.tokenizer import Tokenizer, Tokens, Window, split_windows
from backends.ner.sentence_splitter import sentence_gaps
from backends.ner.word_aggregation import Probabilities
from shared.settings import Settings

# Sentences or windows of a text, from its beginning, that tell what it is like.
MAX_EMBEDDED_WINDOWS = 16


class TokenScores(NamedTuple):
    """A text, its tokens, and the probabilities of their tags, shape (tokens, tags)."""

    text: str
    tokens: Tokens
    probabilities: Probabilities


@dataclass
class TokenClassifier:
    """The tokenizer and the network of a token classification model."""

    tokenizer: Tokenizer
    network: Network

    @classmethod
    def load(cls, source: ModelSource, settings: Settings) -> "TokenClassifier":
        """Load both from a model's folder; code in it is not run."""
        return cls(*load_text_model(source, settings))

    @property
    def tags(self) -> Sequence[str]:
        """The names of the tags, in the order of their probabilities."""
        return self.network.labels

    def classify_tokens(self, texts: Sequence[str]) -> list[TokenScores]:
        """Return the scores of each text, however long.

        A text that is too long for the model is read sentence by sentence, as the model has learnt
        to. A sentence that is still too long is read in windows, of which the parts with context on
        both sides are put together again.
        """
        encoded = self.tokenizer.encode(texts)
        windows = [
            (index, window)
            for index, tokens in enumerate(encoded)
            for window in self.split_text(texts[index], tokens)
        ]
        rows = [encoded[index].build_row(window.start, window.end) for index, window in windows]
        shapes = ((len(tokens.ids), len(self.tags)) for tokens in encoded)
        probabilities = [np.zeros(shape, np.float32) for shape in shapes]
        for (index, window), logits in zip(windows, self.network.run(rows), strict=True):
            offset = len(encoded[index].prefix) - window.start  # from a token to its row of logits
            own_logits = logits[offset + window.own_start : offset + window.own_end]
            probabilities[index][window.own_start : window.own_end] = softmax(own_logits)
        return [TokenScores(*scores) for scores in zip(texts, encoded, probabilities, strict=True)]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean hidden state of each text's tokens, shape (texts, hidden)."""
        rows_by_text = []
        for text, tokens in zip(texts, self.tokenizer.encode(texts), strict=True):
            windows = islice(self.split_text(text, tokens), MAX_EMBEDDED_WINDOWS)
            rows = [tokens.build_row(window.start, window.end) for window in windows]
            rows_by_text.append(rows or [tokens.build_row(0, 0)])
        return self.network.embed_texts(rows_by_text)

    def split_text(self, text: str, tokens: Tokens) -> Iterator[Window]:
        """Yield the windows that a text is read in."""
        max_tokens = self.network.max_tokens - len(tokens.prefix) - len(tokens.suffix)
        for start, end in split_sentences(text, tokens, max_tokens):
            for window in split_windows(tokens.word_ids[start:end], max_tokens):
                yield Window(*(position + start for position in window))


def split_sentences(text: str, tokens: Tokens, max_tokens: int) -> Iterator[tuple[int, int]]:
    """Yield tokens from start to end (exclusive): all, or those of each sentence if too many.

    Tokens of the white space between two sentences are in neither.
    """
    count = len(tokens.ids)
    starts: list[int] = tokens.offsets[:, 0].tolist() if count > max_tokens else []
    begin = 0
    for gap_start, gap_end in sentence_gaps(text) if starts else ():
        end = bisect_left(starts, gap_start)
        if begin < end:
            yield begin, end
        begin = max(begin, bisect_left(starts, gap_end))
    if begin < count:
        yield begin, count
