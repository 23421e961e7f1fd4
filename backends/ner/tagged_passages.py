"""Annotated texts to passages whose tokens have tags, in the scheme B-I."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backends._transformers.fine_tuning import IGNORED
from backends._transformers.text_dataset import AnnotatedText, LabelledSpan
from backends._transformers.tokenizer import Tokenizer, Tokens
from backends.ner.entities import OUTSIDE, group_entities
from backends.ner.word_aggregation import aggregate_words

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaggedPassage:
    """A passage, its entities and tokens, and the number of each token's tag in `TagScheme.tags`.

    A token without characters has IGNORED.
    """

    text: str
    spans: tuple[LabelledSpan, ...]
    tokens: Tokens
    tags: tuple[int, ...]


class TagScheme(NamedTuple):
    """The tags of labels: O, and B- and I- of each."""

    tags: tuple[str, ...]

    @classmethod
    def of_labels(cls, labels: Iterable[str]) -> "TagScheme":
        """Return the scheme of some labels."""
        return cls((OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")))

    def tag_tokens(
        self, spans: Sequence[LabelledSpan], offsets: Iterable[tuple[int, int]]
    ) -> tuple[int, ...]:
        """Return the number of each token's tag. A token that a span touches belongs to it."""
        found: list[int] = []
        before: LabelledSpan | None = None
        for start, end in offsets:
            span = next((one for one in spans if one.start < end and start < one.end), None)
            if start == end:
                found.append(IGNORED)
                continue
            tag = OUTSIDE if span is None else f"{'I' if span is before else 'B'}-{span.label}"
            found.append(self.tags.index(tag))
            before = span
        return tuple(found)


class PassageTagger:
    """Tags passages, and counts the spans that tags cannot say."""

    def __init__(self, tokenizer: Tokenizer, scheme: TagScheme) -> None:
        self._tokenizer, self._scheme = tokenizer, scheme
        self.left_out: Counter[str] = Counter()

    def tag(self, texts: Iterable[AnnotatedText]) -> list[TaggedPassage]:
        """Return the passages of texts; what is left out is logged once."""
        passages = [one for text in texts for one in split_passages(text, self.left_out)]
        encoded = self._tokenizer.encode([text for text, _ in passages])
        tagged = [
            self._tag_passage(text, spans, tokens)
            for (text, spans), tokens in zip(passages, encoded, strict=True)
            if len(tokens.ids)
        ]
        warn_of(self.left_out)
        return tagged

    def _tag_passage(
        self, text: str, spans: tuple[LabelledSpan, ...], tokens: Tokens
    ) -> TaggedPassage:
        tags = self._scheme.tag_tokens(spans, tokens.offsets.tolist())
        passage = TaggedPassage(text, spans, tokens, tags)
        unsaid = set(spans) - set(self.read_back(passage))
        reason = "begin or end inside of a word: the whole word is learnt"
        self.left_out.update([reason] * len(unsaid))
        return passage

    def read_back(self, passage: TaggedPassage) -> list[LabelledSpan]:
        """Return the spans that a model finds which tags all tokens right."""
        certain = np.zeros((len(passage.tags), len(self._scheme.tags)), np.float32)
        certain[np.arange(len(passage.tags)), np.maximum(passage.tags, 0)] = 1
        words = aggregate_words(
            passage.text, passage.tokens, certain, self._scheme.tags, strategy="first"
        )
        found = group_entities(words, passage.text)
        return [LabelledSpan(one.start, one.end, one.type) for one in found]


def warn_of(left_out: Mapping[str, int]) -> None:
    """Log how many spans are not learnt as they are, and why."""
    for reason, count in left_out.items():
        logger.warning("%d spans %s", count, reason)


def split_passages(
    text: AnnotatedText, left_out: Counter[str]
) -> Iterator[tuple[str, tuple[LabelledSpan, ...]]]:
    """Yield each passage with its own spans, at its own characters; others are counted."""
    kept = without_overlaps(text.spans)
    overlaps = len(text.spans) - len(kept)
    left_out.update(["overlap a longer one, which is learnt"] * overlaps)
    placed = 0
    for start, end in text.passages:
        own = [one for one in kept if start <= one.start and one.end <= end]
        placed += len(own)
        moved = (LabelledSpan(s - start, e - start, label) for s, e, label in own)
        yield text.text[start:end], tuple(moved)
    left_out.update(["go over more than one paragraph or block"] * (len(kept) - placed))


def without_overlaps(spans: Iterable[LabelledSpan]) -> list[LabelledSpan]:
    """Return the spans in their order, of overlapping ones the longest; of equal ones the first."""
    kept: list[LabelledSpan] = []
    for span in sorted(spans, key=lambda one: (one.start - one.end, one)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)
