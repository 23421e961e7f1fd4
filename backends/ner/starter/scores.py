"""Tags of tokens to spans, and the F1 of spans."""

from collections import Counter
from collections.abc import Iterable, Sequence

from backends.ner.starter.sentences import LABELS, Sentence, Span

TAGS = ("O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BI"))


def tags_of(sentence: Sentence, offsets: Iterable[tuple[int, int]]) -> list[int]:
    """Return each token's BIO tag as an index of TAGS; -100 if it has no characters."""
    tags: list[int] = []
    before: Span | None = None
    for start, end in offsets:
        inside = (span for span in sentence.spans if span.start < end and start < span.end)
        span = next(inside, None)
        if start == end:
            tags.append(-100)
        elif span is None:
            tags.append(0)
        else:
            tags.append(TAGS.index(f"{'I' if span is before else 'B'}-{span.label}"))
        before = span
    return tags


def spans_of(tags: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[Span]:
    """Return the spans of tags; an I- tag with another label than the one before opens a span."""
    spans: list[Span] = []
    previous = ""
    for tag, (start, end) in zip(tags, offsets, strict=True):
        if start == end:
            continue
        prefix, _, label = TAGS[tag].partition("-")
        if prefix == "I" and label == previous:
            spans[-1] = Span(spans[-1].start, end, label)
        elif label:
            spans.append(Span(start, end, label))
        previous = label
    return spans


def words_of(
    tags: Sequence[int], offsets: Sequence[tuple[int, int]], words: Sequence[int | None]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return tags and offsets of words: a word has the tag of its first token."""
    word_tags: list[int] = []
    places: list[tuple[int, int]] = []
    previous = None
    for tag, (start, end), word in zip(tags, offsets, words, strict=True):
        if word is not None and word == previous:
            places[-1] = (places[-1][0], end)
        elif word is not None:
            word_tags.append(tag)
            places.append((start, end))
        previous = word
    return word_tags, places


def f1_by_label(
    expected: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]]
) -> dict[str, float]:
    """Return the exact-match F1 of spans, for "all" and for each label."""
    counts: Counter[tuple[str, str]] = Counter()
    for right, answer in zip(expected, found, strict=True):
        spans, answers = set(right), set(answer)
        for kind, group in (("hit", spans & answers), ("due", spans), ("got", answers)):
            for span in group:
                counts[kind, span.label] += 1
                counts[kind, "all"] += 1
    return {
        label: 2 * counts["hit", label] / max(counts["due", label] + counts["got", label], 1)
        for label in ("all", *LABELS)
    }
