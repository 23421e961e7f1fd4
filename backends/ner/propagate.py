"""What the user has just marked, found again everywhere in the text."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared.backend.base import Context
from shared.backend.passages import Passage, Passages
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.results import parse_regions
from shared.results.region import Shape


class UserSpan(NamedTuple):
    """A span that the user marked: of which control tag, with which labels, and where."""

    control: str
    labels: Sequence[str]
    shape: Shape


def marks_of(
    context: Context, config: LabelConfig, target: ObjectTag, passages: Passages
) -> tuple[UserSpan, ...]:
    """The labelled spans of a context on an object tag; what cannot be read is none."""
    found = []
    for result in context.get("result") or ():
        try:
            [reading] = parse_regions([result], config, {target.name: passages.source})
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        for control, labels in reading.marks.items():
            if control.to_name == target.name and isinstance(labels, list) and labels:
                found.append(UserSpan(control.name, labels, reading.shape))
    return tuple(found)


def other_occurrences(mark: UserSpan, passages: Passages) -> Iterator[Shape]:
    """The places where the marked text stands besides, as whole words if it is of whole words."""
    for passage, start, end in _marked(mark, passages):
        wanted = passage.text[start:end]
        whole = _border(passage.text, start), _border(passage.text, end)
        for other in passages.passages:
            for found in _occurrences(wanted, other.text):
                last = found + len(wanted)
                shape = passages.to_shape(other, found, last)
                bounds = _border(other.text, found), _border(other.text, last)
                if shape != mark.shape and all(
                    b or not w for b, w in zip(bounds, whole, strict=True)
                ):
                    yield shape


def _marked(mark: UserSpan, passages: Passages) -> Iterator[tuple[Passage, int, int]]:
    """The passage that the mark lies in, and its characters there; nothing if it is in several."""
    shape: Any = mark.shape
    for passage in passages.passages:
        start, end = shape.start - passage.start, shape.end - passage.start
        within = 0 <= start < end <= len(passage.text) and getattr(shape, "last", None) is None
        if within and getattr(shape, "paragraph", passage.paragraph) == passage.paragraph:
            yield passage, start, end


def _occurrences(wanted: str, text: str) -> Iterator[int]:
    """Where a text begins in another, from left to right; occurrences do not overlap."""
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + len(wanted))


def _border(text: str, place: int) -> bool:
    """Whether no word goes on over a place in a text."""
    return not (text[max(0, place - 1) : place].isalnum() and text[place : place + 1].isalnum())
