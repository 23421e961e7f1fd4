"""Tables of what predictions saved: what became of them, and how long tasks took."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.cli.tables import MAX_LABELS, create_console, create_table, name_cell
from shared.evaluation.figures import NO_CASES, format_number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from shared.evaluation.annotators.time_saved import CorrectionRow, TimeSaved

# What the groups of annotations are called whose prediction is not there.
GROUP_NAMES: Mapping[str, str] = {
    "without_prediction": "without a prediction",
    "unknown_prediction": "not known: the annotation names no prediction, but the task may have"
    " had one",
    "missing_prediction": "with a prediction that was deleted, or is not in the input",
}


def print_time_saved(saved: "TimeSaved", console: "Console | None" = None) -> None:
    """Print what became of predictions, by version and label, and then the seconds a task."""
    from shared.evaluation.annotators.corrections import OUTCOMES

    console = console or create_console()
    console.print("Time saved", style="bold")
    rows = list(saved.rows())
    if rows:
        shown = _most_frequent(rows)
        console.print(_correction_table(shown, OUTCOMES))
        if len(shown) < len(rows):
            left = len(rows) - len(shown)
            console.print(f"and {left:,} rarer labels: --format json has all", highlight=False)
    else:
        text = f"Corrections: {NO_CASES}, no annotation names a prediction that is there"
        console.print(text, highlight=False)
    console.print(_duration_table(saved.figures()))


def _most_frequent(rows: "Sequence[CorrectionRow]") -> "list[CorrectionRow]":
    """Return the rows without the rarer labels of control tags that have very many."""
    kept: list[CorrectionRow] = []
    for place, row in enumerate(rows):
        if row.label is None:
            labels = _labels_of(rows, place)
            most = sorted(labels, key=lambda one: -sum(one.counts.values()))[:MAX_LABELS]
            kept += [row, *(one for one in labels if one in most)]
    return kept


def _labels_of(rows: "Sequence[CorrectionRow]", place: int) -> "list[CorrectionRow]":
    """Return the rows of labels that follow the row of a control tag."""
    end = place + 1
    while end < len(rows) and rows[end].label is not None:
        end += 1
    return list(rows[place + 1 : end])


def _correction_table(rows: "Sequence[CorrectionRow]", outcomes: Sequence[str]) -> "Table":
    table = create_table(["version", "control tag", "label"])
    for name in outcomes:
        table.add_column(name, justify="right")
    for row in rows:
        label = "" if row.label is None else row.label or "no label"
        cells = (_count_cell(row, name) for name in outcomes)
        names = map(name_cell, (row.version, row.control, label))
        table.add_row(*names, *cells, style="bold" if row.label is None else None)
    return table


def _count_cell(row: "CorrectionRow", name: str) -> str:
    """Return a count with its share of what was predicted; what was added has none."""
    count = row.counts[name]
    predicted = sum(row.counts.values()) - row.counts["added"]
    if name == "added" or not predicted:
        return format_number(count)
    return f"{format_number(count)} ({count / predicted:.0%})"


def _duration_table(figures: Mapping[str, Any]) -> "Table":
    table = create_table(["annotations that began"])
    for name in ("tasks", "annotations", "time known", "median seconds"):
        table.add_column(name, justify="right")
    groups = {f"with {name}": found for name, found in figures["versions"].items()}
    groups |= {name: figures[key] for key, name in GROUP_NAMES.items()}
    for name, found in groups.items():
        median = found.get("median_seconds")
        counts = (format_number(found[key]) for key in ("tasks", "annotations", "timed"))
        seconds = NO_CASES if not found["annotations"] else "not known"
        table.add_row(name_cell(name), *counts, seconds if median is None else f"{median:,.1f}")
    return table
