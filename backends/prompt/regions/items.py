"""What the items of drawn regions have in common: labels, a score, and what is said of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backends.prompt.answer_schema import check_answer, escape_pointer
from backends.prompt.answer_schema.spans import (
    LABEL,
    LABELS,
    VALUES,
    find_label,
    per_region_controls,
)
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.values import read_value
from backends.prompt.regions.whole_task import build_whole_task
from backends.prompt.visibility import ShownRegion, Visibility, chosen_names
from shared.backend import Control
from shared.results import Omission, Region

# The rule under which values that fit no schema are counted, as `dropped_answer`.
ANSWER_RULE = "answer"
# The keys of a result that are not those of its region.
OWN_KEYS = frozenset(("id", "from_name", "to_name", "type", "value", "score", "origin", "meta"))


class OmissionError(Exception):
    """An item that no region can hold."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.omission = Omission(rule, message)


def read_items(value: Any, pointer: str, who: str) -> tuple[list[Any], list[Omission]]:
    """Return the items of a list; none, and what is wrong, if it is no list. Null says nothing."""
    if value is None or isinstance(value, list):
        return value or [], []
    problems = check_answer({"type": "array"}, value, pointer)
    return [], [Omission(ANSWER_RULE, f"{who}: the model's answer at {each}") for each in problems]


def item_labels(item: Mapping[str, Any], control: Control) -> tuple[str, ...]:
    """Return the labels of an item as they stand in results; unknown ones as they are."""
    answered = item[LABELS] if LABELS in item else [item[LABEL]]
    return tuple(dict.fromkeys(find_label(control, name) or name for name in answered))


def item_score(found: ControlAnswer, index: int) -> float | None:
    """Return the score of an item: of its label, or of the item as a whole.

    Of several labels it is that of the least certain one.
    """
    item = found.value[index]
    places = range(len(item[LABELS])) if LABELS in item else ()
    labels = [found.score(index, LABEL), found.score(index)]
    several = [found.score(index, LABELS, place) for place in places]
    known = [score for score in several if score is not None]
    return next((score for score in labels if score is not None), min(known, default=None))


def describing_answers(
    found: ControlAnswer, index: int, labels: Sequence[str], role: str = ""
) -> Iterator[ControlAnswer]:
    """Yield what is said of an item by each control tag that the editor shows for its labels.

    Of a message, for its `role`.
    """
    values = found.value[index].get(VALUES)
    said = values if isinstance(values, Mapping) else {}
    inside = replace(found, pointer=f"{found.pointer}/{index}/{VALUES}")
    return shown_answers(inside, said, labels, role)


def shown_answers(
    found: ControlAnswer, values: Mapping[str, Any], labels: Sequence[str], role: str = ""
) -> Iterator[ControlAnswer]:
    """Yield what `values` say of a region with these labels, by the names of control tags.

    `found` is the answer that drew the region, its pointer that of the values. What the editor
    would not show for the region (`whenLabelValue`, `visibleWhen`) is left out.
    """
    described = [
        control
        for control in per_region_controls(found.control, found.config)
        if values.get(control.name) is not None
    ]
    shown = ShownRegion(found.control.name, chosen_names(found.control, labels), role)
    visibility = _region_visibility(found, described, values, shown)
    for control in described:
        if visibility.shows(control):
            pointer = f"{found.pointer}/{escape_pointer(control.name)}"
            yield replace(found, control=control, value=values[control.name], pointer=pointer)


def _region_visibility(
    found: ControlAnswer,
    described: Sequence[Control],
    values: Mapping[str, Any],
    shown: ShownRegion,
) -> Visibility:
    """Return what the editor shows for a region: by its labels, and what is chosen for it."""
    sources = found.answer.question.sources
    chosen = {
        control.name: chosen_names(control, _choices(control, values[control.name], sources))
        for control in described
        if control.tag in {"Choices", "Taxonomy"}
    }
    return Visibility(
        {**found.visibility.controls, **{control.name: control for control in described}},
        {**found.visibility.chosen, **chosen},
        shown,
    )


def _choices(control: Control, value: Any, sources: Mapping[str, Any]) -> list[Any]:
    answer = read_value(control, value, "", sources).answer
    return answer if isinstance(answer, list) else [answer]


def attach_values(
    drawn: Region, described: Iterable[ControlAnswer]
) -> tuple[Region, list[Omission]]:
    """Return a region with what is said of it, as results of its id; and what none can hold.

    Each result has the region's place, too, as the editor writes it.
    """
    first = drawn.results[0]
    place = {key: part for key, part in first["value"].items() if key != first["type"]}
    beside = {key: part for key, part in first.items() if key not in OWN_KEYS}
    results, omissions = list(drawn.results), list[Omission]()
    for found in described:
        for built in build_whole_task(found):
            if isinstance(built, Omission):
                omissions.append(built)
                continue
            [result] = built.results
            value = {**place, **result["value"]}
            results.append({**beside, **result, "id": drawn.id, "value": value})
    return Region(drawn.id, tuple(results)), omissions
