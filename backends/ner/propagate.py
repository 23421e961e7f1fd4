"""Other occurrences of the text that the user has just marked."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared.backend import Context, LabelConfig, ObjectTag, Passage, Passages
from shared.results import parse_regions
from shared.results.types import Shape


class UserSpan(NamedTuple):
    """A span that the user marked: the name of its control tag, its labels, and its shape."""

    control: str
    labels: Sequence[str]
    shape: Shape


def user_spans(
    context: Context, config: LabelConfig, target: ObjectTag, passages: Passages
) -> tuple[UserSpan, ...]:
    """Return the labeled spans of a context on an object tag; unreadable results are skipped."""
    spans = []
    for result in context.get("result") or ():
        try:
            [parsed] = parse_regions([result], config, {target.name: passages.source})
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        for control, labels in parsed.values.items():
            if control.to_name == target.name and isinstance(labels, list) and labels:
                spans.append(UserSpan(control.name, labels, parsed.shape))
    return tuple(spans)


def other_occurrences(span: UserSpan, passages: Passages) -> Iterator[Shape]:
    """Yield where else the marked text is; as whole words only, if the user marked whole words."""
    for passage, start, end in _locate_span(span, passages):
        marked = passage.text[start:end]
        whole_words = _is_word_border(passage.text, start), _is_word_border(passage.text, end)
        for other in passages.passages:
            for first in _find_all(marked, other.text):
                last = first + len(marked)
                shape = passages.to_shape(other, first, last)
                borders = _is_word_border(other.text, first), _is_word_border(other.text, last)
                fits = all(b or not w for b, w in zip(borders, whole_words, strict=True))
                if shape != span.shape and fits:
                    yield shape


def _locate_span(span: UserSpan, passages: Passages) -> Iterator[tuple[Passage, int, int]]:
    """Yield the passage of a span and its characters there; nothing if it crosses passages."""
    shape: Any = span.shape
    for passage in passages.passages:
        start, end = shape.start - passage.start, shape.end - passage.start
        is_inside = 0 <= start < end <= len(passage.text)
        is_single = getattr(shape, "last", None) is None  # the last paragraph, if of several
        same_paragraph = getattr(shape, "paragraph", passage.paragraph) == passage.paragraph
        if is_inside and is_single and same_paragraph:
            yield passage, start, end


def _find_all(part: str, text: str) -> Iterator[int]:
    """Yield where a part begins in a text, from left to right, without overlaps."""
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + len(part))


def _is_word_border(text: str, index: int) -> bool:
    """Return whether no word continues across an index of a text."""
    return not (text[max(0, index - 1) : index].isalnum() and text[index : index + 1].isalnum())
