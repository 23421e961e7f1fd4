"""Values of control tags side by side: what is true, and what was predicted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import truncate
from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.evaluation import TaskResult
from shared.evaluation.metrics.metric import Outcome
from shared.evaluation.metrics.paired_values import PairedValues, pair_values
from shared.evaluation.report.marks import is_value_tag
from shared.label_studio.label_config import Control

# Longer values are cut.
MAX_CHARACTERS = 600


@dataclass(frozen=True)
class ValueRow:
    """A value of a control tag; None where there is none. `state` is hit, miss or invention."""

    control: str
    truth: str | None
    predicted: str | None
    state: str
    score: float | None = None


def compare_values(result: TaskResult) -> list[ValueRow]:
    """Return the values of a task that are not drawn: of the task as a whole, or of regions."""
    rows: list[ValueRow] = []
    for name, outcome in result.outcomes.items():
        control = result.task.config.find_control(name)
        if control is not None and is_value_tag(control):
            rows += _rows_of(control, outcome)
    return rows


def _rows_of(control: Control, outcome: Outcome) -> Iterable[ValueRow]:
    """Yield what is wrong first: a true value beside what was predicted in its place."""
    for pair in pair_values(outcome.misses, outcome.inventions):
        state = "invention" if pair.predicted else "miss"
        yield _build_row(control, pair, state)
    for match in outcome.hits:
        yield _build_row(control, PairedValues([match.truth], [match.predicted]), "hit")


def _build_row(control: Control, pair: PairedValues, state: str) -> ValueRow:
    true, found = (
        "\n".join(format_value(control, value_of(region, control.name)) for region in regions)
        if regions
        else None
        for regions in pair
    )
    scores = [region.score for region in pair.predicted if region.score is not None]
    return ValueRow(control.name, true, found, state, max(scores, default=None))


def format_value(control: Control, value: Any) -> str:
    """Return a value of a control tag as a text."""
    if isinstance(value, Mapping):
        text = "\n".join(f"{bucket}: {_join(items)}" for bucket, items in value.items())
    elif labels := labels_of(control, value):
        text = ", ".join(labels)
    else:
        text = _join(value, "\n")
    return truncate(text, MAX_CHARACTERS)


def _join(value: Any, separator: str = ", ") -> str:
    if isinstance(value, list | tuple):
        return separator.join(map(str, value))
    return "" if value is None else str(value)
