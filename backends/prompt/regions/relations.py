"""Relations between the spans of an answer, which name them by their ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.prompt.answer_schema import check_answer
from backends.prompt.answer_schema.spans import (
    LABEL,
    asks_relations,
    describe_relation,
    relations_name,
)
from backends.prompt.question import Answer
from backends.prompt.regions.items import ANSWER_RULE, OmissionError, read_items
from backends.prompt.regions.spans import PlacedSpan
from shared.backend import LabelConfig
from shared.results import Omission, Region, relation

# The rule under which relations between spans that are not there are counted.
RELATION_RULE = "relation_end_not_found"


def build_relations(
    answer: Answer, config: LabelConfig, spans: Sequence[PlacedSpan]
) -> Iterator[Region | Omission]:
    """Yield the relations between spans; one whose end has no place is left out, and counted.

    An id is that of the window in which the model gave it.
    """
    if not asks_relations(config):
        return
    yield from _wrong_lists(answer, config)
    by_key = {key: span.region for span in reversed(spans) for key in span.keys}
    labels: dict[tuple[str, str], list[str]] = {}
    ends: dict[tuple[str, str], tuple[Region, Region]] = {}
    for number, pointer, item in _relation_items(answer, config):
        try:
            source, target = _find_ends(item, (number, pointer), config, by_key)
        except OmissionError as error:
            yield error.omission
            continue
        ends[source.id, target.id] = source, target
        labels.setdefault((source.id, target.id), []).append(item[LABEL])
    for pair, (source, target) in ends.items():
        yield relation(source, target, labels=dict.fromkeys(labels[pair]))


def _find_ends(
    item: Any, keys: tuple[int, str], config: LabelConfig, by_key: Mapping[tuple[int, int], Region]
) -> tuple[Region, Region]:
    """Return the regions that a relation joins; OmissionError if there are no two."""
    number, pointer = keys
    problems = check_answer(describe_relation(config), item, pointer)
    if problems:
        raise OmissionError(ANSWER_RULE, f"Relations: the model's answer at {problems[0]}")
    source, target = (by_key.get((number, item[end])) for end in ("from", "to"))
    if source is None or target is None or source.id == target.id:
        what = f"{item[LABEL]} from {item['from']} to {item['to']}"
        raise OmissionError(RELATION_RULE, f"Relations: there are no two spans for {what}")
    return source, target


def _relation_items(answer: Answer, config: LabelConfig) -> Iterator[tuple[int, str, Any]]:
    """Yield each relation with the number of its window, and the pointer to it there."""
    name = relations_name(config)
    for number, part in enumerate(answer.windows or (answer,)):
        value = part.values.get(name)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield number, f"/{name}/{index}", item


def _wrong_lists(answer: Answer, config: LabelConfig) -> Iterator[Omission]:
    """Yield what is wrong where relations are no list."""
    name = relations_name(config)
    for part in answer.windows or (answer,):
        yield from read_items(part.values.get(name), f"/{name}", "Relations")[1]
