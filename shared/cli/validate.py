"""`prelabel validate`: finds what Label Studio would refuse or not show in a file of tasks."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.errors import escape_control

if TYPE_CHECKING:
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TaskEntry
    from shared.results.validation import Finding, FractionDetector

# The default of --limit in a table.
TABLE_LIMIT = 100
# Columns of a table that does not go to a terminal.
TABLE_WIDTH = 140
# A table is laid out in memory, so a long list becomes several of this many rows.
ROWS_PER_TABLE = 500

# A finding and the task that it is in, if it is in one: the keys of `--format json`.
Row = dict[str, Any]


class Format(str, Enum):
    """How the findings are written."""

    table = "table"
    json = "json"


@app.command()
def validate(
    file: str = typer.Argument(
        metavar="FILE",
        help="Tasks with predictions: JSON or JSON Lines, also gzipped; - for standard input",
    ),
    label_config: Path = typer.Option(
        help="The project's label config, an XML file", exists=True, dir_okay=False
    ),
    format: Format = typer.Option(Format.table, help="table, or json: one finding per line"),  # noqa: A002
    limit: int = typer.Option(
        None,
        min=0,
        help=f"Findings to show, 0 for all (default: {TABLE_LIMIT} in a table, all in JSON)",
    ),
    editor: bool = typer.Option(
        False,
        "--editor",
        help="Also show each prediction in Label Studio's own editor, and compare what it draws",
    ),
) -> None:
    """Check a file of tasks with predictions against a label config, before it is imported.

    The exit status is 1 if there are errors.
    """
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TaskFile

    config = LabelConfig.parse(label_config.read_text(encoding="utf-8", errors="replace"))
    with ExitStack() as stack:
        summary = Summary(compare=_open_editor(stack, config) if editor else None)
        rows = summary.check_tasks(TaskFile(file), config)
        if format is Format.table:
            _print_tables(rows, summary, TABLE_LIMIT if limit is None else limit)
        else:
            _print_json_lines(rows, summary, limit or 0)
    if summary.severities["error"]:
        raise typer.Exit(1)


def _open_editor(stack: ExitStack, config: "LabelConfig") -> "Callable[[Any], list[Finding]]":
    """Start the editor, until the stack is closed; return what compares a task in it."""
    from shared.cli.official_variables import adopt_official_variables
    from shared.editor.browser import EditorBrowser
    from shared.editor.findings import compare_task
    from shared.settings import Settings, read_settings

    adopt_official_variables()
    browser = stack.enter_context(EditorBrowser(read_settings(Settings)))
    return lambda task: compare_task(browser, config, task)


@dataclass
class Summary:
    """Counts what has been checked and found so far.

    `compare` returns what the editor shows of a task otherwise than it is meant.
    """

    compare: "Callable[[Any], list[Finding]] | None" = None
    tasks: int = 0
    predictions: int = 0
    results: int = 0
    severities: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def check_tasks(self, tasks: "Iterable[TaskEntry]", config: "LabelConfig") -> Iterator[Row]:
        """Yield the findings in the label config and in all tasks, and count them."""
        from shared.results.validation import Finding, FractionDetector, config_problems

        for problem in config_problems(config):
            message = f"label config: {problem.message}"
            finding = Finding(problem.rule, None, None, message, problem.severity)
            yield self._count(None, finding)
        fractions = FractionDetector(config)
        for entry in tasks:
            for finding in self._check_entry(entry, config, fractions):
                yield self._count(entry, finding)
        for finding in fractions.findings():
            yield self._count(None, finding)

    def _count(self, entry: "TaskEntry | None", finding: "Finding") -> Row:
        self.severities[finding.severity] += 1
        self.rules[finding.rule] += 1
        return _build_row(entry, finding)

    def _check_entry(
        self, entry: "TaskEntry", config: "LabelConfig", fractions: "FractionDetector"
    ) -> "list[Finding]":
        from shared.label_studio.task_file import as_task
        from shared.results.validation import Finding, check_task

        if entry.problem is not None:
            return [Finding("broken", None, None, entry.problem)]
        task = as_task(entry.task)
        self.tasks += 1
        for prediction in _get_list(task, "predictions"):
            self.predictions += 1
            results = _get_list(prediction, "result")
            self.results += len(results)
            fractions.observe_results(results)
        found = check_task(config, task)
        return found if self.compare is None else [*found, *self.compare(task)]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "tasks": self.tasks,
            "predictions": self.predictions,
            "results": self.results,
            "errors": self.severities["error"],
            "warnings": self.severities["warning"],
            "rules": dict(self.rules.most_common()),
        }

    def __str__(self) -> str:
        numbers = self.to_json()
        rules = numbers.pop("rules")
        text = ", ".join(
            f"{number:,} {name if number != 1 else name[:-1]}" for name, number in numbers.items()
        )
        return text + "".join(f"\n  {rule}: {number:,}" for rule, number in rules.items())


def _get_list(value: Any, key: str) -> list[Any]:
    """Return the list under a key; an empty one where there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, list) else []


def _build_row(entry: "TaskEntry | None", finding: "Finding") -> Row:
    """Build a row; without an entry the finding is about the label config or the whole file."""
    task = entry.task if entry is not None else None
    return {
        "task": entry.number if entry is not None else None,
        "line": entry.line if entry is not None else None,
        "id": task.get("id") if isinstance(task, dict) else None,
        "prediction": finding.prediction,
        "result": finding.index,
        "region": finding.region,
        "severity": finding.severity,
        "rule": finding.rule,
        "message": finding.message,
    }


def _print_json_lines(rows: Iterator[Row], summary: Summary, limit: int) -> None:
    """Print the findings and then the summary, one object per line."""
    from shared.label_studio.json_stream import dump_line

    for number, row in enumerate(rows):
        if not limit or number < limit:
            sys.stdout.buffer.write(dump_line(row))
    sys.stdout.buffer.write(dump_line({"summary": summary.to_json()}))
    sys.stdout.buffer.flush()


def _print_tables(rows: Iterator[Row], summary: Summary, limit: int) -> None:
    """Print the findings in tables, and then the summary; Rich is imported for tables only."""
    remaining = limit or float("inf")
    while remaining and (chunk := list(islice(rows, int(min(ROWS_PER_TABLE, remaining))))):
        _print_table(chunk)
        remaining -= len(chunk)
    unshown = sum(1 for _ in rows)  # the rest is checked, too: the summary counts it
    if unshown:
        typer.echo(f"and {unshown:,} more; --limit 0 shows all")
    typer.echo(str(summary))


def _print_table(rows: list[Row]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    console.print(_build_table(rows))


def _build_table(rows: list[Row]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    cells = [_format_cells(row) for row in rows]
    for name in cells[0]:
        if any(texts[name] for texts in cells):
            table.add_column(name, overflow="fold", no_wrap=name in {"task", "line", "finding"})
    for row, texts in zip(rows, cells, strict=True):
        style = "red" if row["severity"] == "error" else "yellow"
        cells_of_row = (texts[str(column.header)] for column in table.columns)
        table.add_row(*(Text(escape_control(text)) for text in cells_of_row), style=style)
    return table


def _format_cells(row: Row) -> dict[str, str]:
    """Return the texts of a row by the names of the columns."""
    region, result = row["region"], row["result"]
    where = f"result {result}" if region is None and result is not None else region
    cells = {
        "task": row["task"],
        "line": row["line"],
        "id": row["id"],
        "pred.": row["prediction"],
        "region": where,
        "finding": f"{row['severity']}: {row['rule']}",
        "message": row["message"].removeprefix(f"region {region}: ").removeprefix(f"{where}: "),
    }
    return {name: "" if value is None else str(value) for name, value in cells.items()}
