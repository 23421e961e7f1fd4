"""Tables of trained versions in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.cli.tables import COUNT_NAMES, FIGURE_WIDTH, create_table, name_cell
from shared.errors import escape_control
from shared.evaluation.figures import NO_CASES, Figure, FigureRow, column_keys, figure_name
from shared.training.version_list import VersionEntry

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Columns of the terminal that a version's name, state and date take.
NAMES_WIDTH = 62


def print_versions(project: str, entries: Sequence[VersionEntry], console: "Console") -> None:
    """Print a project's versions by control tag; under each figure that of the model before."""
    by_control: dict[str, list[VersionEntry]] = {}
    for entry in entries:
        by_control.setdefault(entry.version.control, []).append(entry)
    console.print(f"Project {escape_control(project)}", style="bold", markup=False, highlight=False)
    for control, found in by_control.items():
        keys = column_keys([row for one in found for row in (one.row, one.before) if row])
        shown = keys[: max((console.width - NAMES_WIDTH) // FIGURE_WIDTH, 1)]
        console.print(_create_table(control, found, shown))
        for entry in found:
            if entry.reason:
                text = f"{entry.version.name}: {entry.reason}"
                console.print(escape_control(text), markup=False, highlight=False)
        if len(shown) < len(keys):
            names = ", ".join(map(figure_name, keys[len(shown) :]))
            console.print(f"not shown: {names} (--format json has all)", highlight=False)
        console.print()


def _create_table(control: str, entries: Sequence[VersionEntry], keys: Sequence[str]) -> "Table":
    table = create_table([control, "", "backend", "trained"])
    for name in (*COUNT_NAMES[:1], *map(figure_name, keys)):
        table.add_column(name, justify="right")
    for entry in entries:
        version = entry.version
        names = (version.name, entry.state, version.backend, version.created[:16].replace("T", " "))
        tasks = "" if entry.row is None or entry.row.tasks is None else f"{entry.row.tasks:,}"
        cells = [_cell(entry.row, key) for key in keys]
        style = "bold" if entry.state == "serves" else None
        table.add_row(*map(name_cell, names), tasks, *cells, style=style)
        if entry.before is not None:
            label = (
                f"beside {entry.compared_with}" if entry.compared_with else "beside the one before"
            )
            table.add_row(name_cell(label), "", "", "", "", *(_cell(entry.before, k) for k in keys))
    return table


def _cell(row: FigureRow | None, key: str) -> str:
    figure: Figure | None = row.figures.get(key) if row is not None else None
    if figure is None:
        return NO_CASES
    interval = figure.format_interval()
    return f"{figure.format_value()}\n{interval}" if interval else figure.format_value()
