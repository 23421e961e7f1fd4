"""What became of each region of a task, as the report marks it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.evaluation import TaskResult
from shared.evaluation.metrics.metric import Outcome
from shared.label_studio.control_tag import WHOLE_TASK_TAGS
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

Kind = Literal["truth", "hit", "miss", "invention"]

# How each kind is called, in the order in which they are drawn: the worse ones on top.
KINDS: Mapping[Kind, str] = {
    "truth": "true, and found",
    "hit": "predicted, and right",
    "miss": "true, but missed",
    "invention": "predicted, but wrong",
}
_ORDER = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Mark:
    """A region and what became of it; misses and inventions of an object tag are numbered."""

    kind: Kind
    region: ParsedRegion
    label: str
    similarity: float | None = None
    number: int | None = None

    @property
    def score(self) -> float | None:
        """The model's confidence; None if there is none."""
        return self.region.score


def is_value_tag(control: Control) -> bool:
    """Return whether the report compares values of a control tag instead of drawing regions."""
    return control.tag in WHOLE_TASK_TAGS


def marks_by_object(result: TaskResult) -> dict[str, list[Mark]]:
    """Return the regions of a task to be drawn, by object tag.

    A region that several control tags describe is marked once: wrong if it is for one of them.
    """
    found: dict[int, tuple[str, Mark]] = {}
    for name, outcome in result.outcomes.items():
        for mark in _marks_of(outcome):
            control = next((c for c in mark.region.values if c.name == name), None)
            if control is None or is_value_tag(control):
                continue
            known = found.get(id(mark.region))
            if known is None or _ORDER[known[1].kind] < _ORDER[mark.kind]:
                found[id(mark.region)] = control.to_name, mark
    by_object: dict[str, list[Mark]] = {}
    for to_name, mark in found.values():
        by_object.setdefault(to_name, []).append(mark)
    return {name: _number_marks(marks) for name, marks in by_object.items()}


def label_text(region: ParsedRegion) -> str:
    """Return the names of a region's labels."""
    names = (
        label for control, value in region.values.items() for label in labels_of(control, value)
    )
    return ", ".join(dict.fromkeys(names))


def _marks_of(outcome: Outcome) -> Iterable[Mark]:
    for match in outcome.hits:
        yield Mark("truth", match.truth, label_text(match.truth), match.similarity)
        yield Mark("hit", match.predicted, label_text(match.predicted), match.similarity)
    for region in outcome.misses:
        yield Mark("miss", region, label_text(region))
    for region in outcome.inventions:
        yield Mark("invention", region, label_text(region))


def _number_marks(marks: Iterable[Mark]) -> list[Mark]:
    numbered, number = [], 0
    for mark in sorted(marks, key=lambda mark: _ORDER[mark.kind]):
        if mark.kind in ("miss", "invention"):
            number += 1
            mark = replace(mark, number=number)
        numbered.append(mark)
    return numbered
