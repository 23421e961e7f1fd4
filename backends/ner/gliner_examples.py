"""Annotated texts to examples of words, as GLiNER learns them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backends._transformers.text_dataset import AnnotatedText, LabelledSpan
from backends._transformers.tokenizer import replace_surrogates
from backends.ner.gliner import GlinerModel, TextWindow
from backends.ner.tagged_passages import split_passages

# What gliner's collators read: `tokenized_text`, words; `ner`, (first word, last word, type).
Example = dict[str, list[Any]]
# A word and its characters, the end exclusive.
Word = tuple[str, int, int]


class SpanPassage(NamedTuple):
    """A passage and the spans in it."""

    text: str
    spans: tuple[LabelledSpan, ...]


@dataclass
class ExampleWriter:
    """Writes examples for a model, and counts the spans that they cannot say.

    `types` are those that the model is asked for of each label: each is learnt.
    """

    model: GlinerModel
    types: Mapping[str, Sequence[str]]
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def prompt(self) -> tuple[str, ...]:
        """All types, in their order."""
        return tuple(name for names in self.types.values() for name in names)

    def split(self, texts: Iterable[AnnotatedText]) -> list[SpanPassage]:
        """Return the passages of texts, as they are read later."""
        return [
            SpanPassage(*passage)
            for text in texts
            for passage in split_passages(text, self.left_out)
            if passage[0].strip()
        ]

    def write(self, passages: Sequence[SpanPassage]) -> list[Example]:
        """Return the examples of passages: a window of words each, as in inference."""
        windows = self.model.split_texts(
            [passage.text for passage in passages], [self.prompt] * len(passages)
        )
        return [self._write_window(passages[window.text], window) for window in windows]

    def _write_window(self, passage: SpanPassage, window: TextWindow) -> Example:
        piece = replace_surrogates(passage.text[window.start : window.end])
        words = list(self.model.inner.data_processor.words_splitter(piece))
        spans = [
            LabelledSpan(start - window.start, end - window.start, label)
            for start, end, label in passage.spans
            if window.start <= start and end <= window.end
        ]
        named = [name for span in spans for name in self._name_words(span, words)]
        return {"tokenized_text": [word for word, _, _ in words], "ner": named}

    def _name_words(
        self, span: LabelledSpan, words: Sequence[Word]
    ) -> Iterator[tuple[int, int, str]]:
        """Yield the first and the last word of a span, with each type of its label."""
        touched = [n for n, (_, start, end) in enumerate(words) if _overlap(span, start, end)]
        if not touched:
            self.left_out["have no word"] += 1
            return
        first, last = touched[0], touched[-1]
        if (words[first][1], words[last][2]) != (span.start, span.end):
            self.left_out["begin or end inside of a word: the whole word is learnt"] += 1
        longest = self.model.max_span_words
        if longest is not None and last - first >= longest:
            self.left_out[f"have more than {longest} words, which the model cannot find"] += 1
            return
        for name in self.types.get(span.label, ()):
            yield first, last, name


def _overlap(span: LabelledSpan, start: int, end: int) -> bool:
    return span.start < end and start < span.end
