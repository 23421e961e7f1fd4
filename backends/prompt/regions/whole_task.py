"""Values for the whole task: choices, ratings, texts, orders."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from backends.prompt.answer_schema.fields import PICTURE, VALUE, picture_indices
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.values import ReadValue, read_value
from shared.results import Omission, Region, whole_task
from shared.results.validation.finding import quote


def build_whole_task(found: ControlAnswer) -> Iterator[Region | Omission]:
    """Yield the region of a value for the whole task, and what of the value no region can hold.

    With `perItem` there is one for each picture of a list. The score of several choices is that of
    the least certain one.
    """
    sources = found.answer.question.sources
    indices = picture_indices(found.control, sources)
    if indices:
        yield from _build_for_pictures(found, indices)
        return
    read = read_value(found.control, found.value, found.pointer, sources)
    yield from read.omissions
    if read.answer is not None:
        yield _build(found, read)


def _build_for_pictures(
    found: ControlAnswer, indices: Sequence[int]
) -> Iterator[Region | Omission]:
    """Yield a region for each picture of a list; the first value of a picture counts."""
    built: set[int] = set()
    for place, entry in enumerate(found.value if isinstance(found.value, list) else ()):
        number = entry.get(PICTURE) if isinstance(entry, dict) else None
        if type(number) is not int or not 1 <= number <= len(indices) or number in built:
            what = (
                f"{found.pointer}/{place}: {quote(entry)} is about none of {len(indices)} pictures"
            )
            yield Omission("answer", f"{found.control}: the model's answer at {what}")
            continue
        built.add(number)
        part = replace(found, value=entry.get(VALUE), pointer=f"{found.pointer}/{place}/{VALUE}")
        read = read_value(part.control, part.value, part.pointer, part.answer.question.sources)
        yield from read.omissions
        if read.answer is not None:
            yield _build(part, read, item_index=indices[number - 1])


def _build(found: ControlAnswer, read: ReadValue, **region_keys: Any) -> Region:
    scores = [found.score(place) for place in read.places] if read.places else [found.score()]
    known = [score for score in scores if score is not None]
    return whole_task(found.control, read.answer, min(known) if known else None, **region_keys)
