"""Tables of an evaluation in the terminal."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import escape_control
from shared.evaluation.figures import (
    NO_CASES,
    Figure,
    FigureRow,
    column_keys,
    control_rows,
    figure_name,
    format_number,
    label_rows,
    scheme_rows,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from shared.evaluation.annotators.agreement import Agreement
    from shared.evaluation.label_errors.issue import LabelIssue
    from shared.evaluation.thresholds import Threshold

# Columns of a table that does not go to a terminal.
TABLE_WIDTH = 140
# Labels of a control tag that a table lists: those with the most true regions.
MAX_LABELS = 50
# Columns of the terminal that names and counts take in a table, and each figure.
NAMES_WIDTH = 60
COUNT_NAMES = ("tasks", "true", "predicted")
FIGURE_WIDTH = 13


def print_report(report: Mapping[str, Any], console: "Console | None" = None) -> None:
    """Print the figures of each version, and several versions side by side first.

    Under each figure stands its 95 % interval.
    """
    console = console or create_console()
    versions = report["versions"]
    if not versions:
        console.print(NO_CASES)
    if len(versions) > 1:
        console.print(_comparison_table(versions))
    for name, version in versions.items():
        _print_version(name, version, console)


def print_thresholds(
    thresholds: Sequence["Threshold"],
    xml: str,
    notes: Iterable[str] = (),
    console: "Console | None" = None,
) -> None:
    """Print the suggested thresholds, and then the label config that has them, as it is.

    `notes` are what is to be changed by hand.
    """
    console = console or create_console()
    if not thresholds:
        console.print(f"Thresholds: {NO_CASES}, no predictions have scores")
        return
    console.print(_threshold_table(thresholds))
    for note in notes:
        console.print(f"Note: {escape_control(note)}", markup=False, highlight=False)
    if any(one.label is None and one.point is not None for one in thresholds):
        console.print("The label config with these thresholds:\n", highlight=False)
        console.file.write(xml if xml.endswith("\n") else f"{xml}\n")


def print_agreement(
    agreement: "Agreement", shown_pairs: int = 20, console: "Console | None" = None
) -> None:
    """Print how far annotators agree on each control tag, and the pairs who agree least."""
    from shared.evaluation.annotators.agreement import describe_agreement

    console = console or create_console()
    console.print("Agreement of annotators", style="bold")
    text = describe_agreement(agreement.figures())
    console.print(escape_lines(text), markup=False, highlight=False)
    rows = list(agreement.rows())
    if not rows:
        return
    table = create_table(["control tag", "annotator", "other"])
    for name in ("agreement", "tasks"):
        table.add_column(name, justify="right")
    for row in rows[:shown_pairs]:
        names = map(name_cell, (row.control, row.annotator, row.other))
        table.add_row(*names, f"{row.agreement:.3f}", format_number(row.tasks))
    console.print(table)
    _print_unshown(len(rows) - shown_pairs, "pairs", console)


def print_label_errors(
    issues: Sequence["LabelIssue"], shown: int = 20, console: "Console | None" = None
) -> None:
    """Print the annotations that are most likely wrong."""
    console = console or create_console()
    console.print("Annotations that may be wrong", style="bold")
    if not issues:
        console.print(f"{NO_CASES}: the predictions contradict no annotation, or have no scores")
        return
    table = create_table(["task", "control tag", "what", "annotated", "the model says", "region"])
    table.add_column("confidence", justify="right")
    for issue in issues[:shown]:
        names = (issue.task, issue.control, issue.kind, issue.label, issue.suggestion, issue.region)
        cells = (name_cell("" if name is None else str(name)) for name in names)
        table.add_row(*cells, f"{issue.confidence:.3f}")
    console.print(table)
    _print_unshown(len(issues) - shown, "annotations", console)


def _print_unshown(count: int, what: str, console: "Console") -> None:
    if count > 0:
        console.print(f"and {count:,} more {what}: --format json has all", highlight=False)


def escape_lines(text: str) -> str:
    """Return the text with control characters escaped, but its line breaks kept."""
    return "\n".join(map(escape_control, text.splitlines()))


def create_console() -> "Console":
    """Return a console as wide as the terminal; where there is none, wide enough for tables."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)


def _print_version(name: str, version: Mapping[str, Any], console: "Console") -> None:
    tasks = version["tasks"]
    title = f"{name}: {format_number(tasks)} task{'' if tasks == 1 else 's'} with a prediction"
    console.print(f"\n{escape_control(title)}", markup=False, highlight=False, style="bold")
    rows = control_rows(version)
    for group in _group_by_figures([row for row in rows if row.figures]):
        _print_figures(group, console)
        labels = [label for row in group for label in _most_frequent(version, row, console)]
        _print_figures(labels, console)
        _print_figures([one for row in group for one in scheme_rows(version, row.control)], console)
    for row in rows:
        if not row.figures:
            text = f"{escape_control(row.control)}: {NO_CASES}"
            console.print(text, markup=False, highlight=False)


def _most_frequent(
    version: Mapping[str, Any], row: FigureRow, console: "Console"
) -> list[FigureRow]:
    """Return the labels of a control tag to be listed, and say how many are not."""
    labels = label_rows(version, row.control)
    shown = sorted(labels, key=lambda row: -(row.truth or 0))[:MAX_LABELS]
    if len(labels) > len(shown):
        text = f"{row.control}: {len(labels) - len(shown):,} rarer labels are in the report only"
        console.print(escape_control(text), markup=False, highlight=False)
    return [label for label in labels if label in shown]


def _print_figures(rows: Sequence[FigureRow], console: "Console") -> None:
    """Print rows in as many tables as their columns need."""
    keys = column_keys(rows)
    step = max((console.width - NAMES_WIDTH) // FIGURE_WIDTH, 1)
    for start in range(0, len(keys), step):
        console.print(_figure_table(rows, keys[start : start + step]))


def _group_by_figures(rows: Iterable[FigureRow]) -> list[list[FigureRow]]:
    """Return the rows that have the same kinds of figures together."""
    groups: dict[frozenset[str], list[FigureRow]] = {}
    for row in rows:
        known = next((key for key in groups if key <= row.figures.keys()), None)
        known = known or next((key for key in groups if key >= row.figures.keys()), None)
        groups.setdefault(known or frozenset(row.figures), []).append(row)
    return list(groups.values())


def _figure_table(rows: Sequence[FigureRow], keys: Sequence[str]) -> "Table":
    """Return a table of control tags, of labels, or of schemes, which have no counts of tasks."""
    is_label = rows[0].label is not None
    has_counts = any(row.tasks is not None or row.truth is not None for row in rows)
    second = "tag" if not is_label else "label" if has_counts else "matched by"
    table = create_table(["control tag", second])
    for name in (*(COUNT_NAMES if has_counts else ()), *map(figure_name, keys)):
        table.add_column(name, justify="right")
    for row in rows:
        names = (row.control, (row.label or "no label") if is_label else row.tag)
        counts = (row.tasks, row.truth, row.predicted) if has_counts else ()
        cells = ["" if count is None else format_number(count) for count in counts]
        table.add_row(*map(name_cell, names), *cells, *(_cell(row.figures.get(k)) for k in keys))
    return table


def _comparison_table(versions: Mapping[str, Any]) -> "Table":
    """Return a table of the control tags' figures, with a column for each version."""
    table = create_table(["control tag", "figure"])
    for name in versions:
        table.add_column(name_cell(name), justify="right")
    by_version = [{row.control: row for row in control_rows(one)} for one in versions.values()]
    for control in dict.fromkeys(name for rows in by_version for name in rows):
        rows = [found[control] for found in by_version if control in found]
        keys = column_keys(rows)
        if keys:
            counts = (_counts_cell(found.get(control)) for found in by_version)
            table.add_row(name_cell(control), "tasks · true", *counts)
        for key in keys:
            cells = (
                _cell(found[control].figures.get(key) if control in found else None)
                for found in by_version
            )
            table.add_row("", figure_name(key), *cells)
    return table


def _threshold_table(thresholds: Sequence["Threshold"]) -> "Table":
    table = create_table(["control tag", "label"])
    for name in ("threshold", "precision", "recall", "F1", "predicted", "true"):
        table.add_column(name, justify="right")
    table.add_column("", overflow="fold")
    for one in thresholds:
        label = "all labels" if one.label is None else one.label or "no label"
        point, cells = one.point, [""] * 6
        if point is not None:
            shares = (f"{share:.3f}" for share in (point.precision, point.recall, point.f1))
            cells = [f"{point.score:g}", *shares, f"{point.predicted:,}", f"{point.truths:,}"]
        style = "bold" if one.label is None else None
        names = (name_cell(one.control), name_cell(label))
        table.add_row(*names, *cells, name_cell(one.note), style=style)
    return table


def create_table(names: Sequence[str]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name_cell(name), overflow="fold")
    return table


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return NO_CASES
    interval = figure.format_interval()
    return f"{figure.format_value()}\n{interval}" if interval else figure.format_value()


def _counts_cell(row: FigureRow | None) -> str:
    counts = (row.tasks, row.truth) if row else ()
    return " · ".join(format_number(count) for count in counts if count is not None)


def name_cell(name: str) -> Any:
    """Return a user's text as a cell: not read as markup, nor able to steer the terminal."""
    from rich.text import Text

    return Text(escape_control(name))
