"""`prelabel validate`: what Label Studio would refuse, or not show, in a file of tasks."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
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
    from shared.label_studio.task_file import Entry
    from shared.results.validation import Finding, Fractions

# Findings that a table shows, if nothing else is asked for.
SHOWN = 100
# Columns of a table that does not go to a terminal.
WIDTH = 140
# Rows of one table; a longer list is several, so that none is kept in memory.
PAGE = 500

# A finding and the task that it is in, if it is of one.
Row = dict[str, Any]


class Format(str, Enum):
    """How findings are written."""

    table = "table"
    json = "json"


@app.command()
def validate(
    file: str = typer.Argument(
        metavar="FILE",
        help="Tasks with predictions: JSON, JSON Lines, either in gzip; - for standard input",
    ),
    label_config: Path = typer.Option(
        help="The project's label config, an XML file", exists=True, dir_okay=False
    ),
    format: Format = typer.Option(Format.table, help="table, or json: one finding a line"),  # noqa: A002
    limit: int = typer.Option(
        None, min=0, help=f"Findings to show, 0 for all (else {SHOWN} in a table)"
    ),
) -> None:
    """Check a file of pre-annotations. The exit status is 1 if there are errors."""
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TasksFile

    config = LabelConfig.parse(label_config.read_text(encoding="utf-8", errors="replace"))
    count = Count()
    show = _table if format is Format.table else _lines
    limit = (SHOWN if format is Format.table else 0) if limit is None else limit
    show(count.findings(TasksFile(file), config), count, limit)
    if count.severities["error"]:
        raise typer.Exit(1)


@dataclass
class Count:
    """What has gone by so far."""

    tasks: int = 0
    predictions: int = 0
    results: int = 0
    severities: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def findings(self, tasks: "Iterable[Entry]", config: "LabelConfig") -> Iterator[Row]:
        """The findings of the label config and of all tasks, counted as they pass."""
        from shared.results.validation import Finding, Fractions, config_problems

        for problem in config_problems(config):
            what = f"label config: {problem.message}"
            finding = Finding(problem.rule, None, None, what, problem.severity)
            yield self._counted(None, finding)
        fractions = Fractions(config)
        for entry in tasks:
            for finding in self._of(entry, config, fractions):
                yield self._counted(entry, finding)
        for finding in fractions.findings():
            yield self._counted(None, finding)

    def _counted(self, entry: "Entry | None", finding: "Finding") -> Row:
        self.severities[finding.severity] += 1
        self.rules[finding.rule] += 1
        return _row(entry, finding)

    def _of(self, entry: "Entry", config: "LabelConfig", fractions: "Fractions") -> "list[Finding]":
        from shared.label_studio.task_file import as_task
        from shared.results.validation import Finding, check_task

        if entry.problem is not None:
            return [Finding("broken", None, None, entry.problem)]
        task = as_task(entry.task)
        self.tasks += 1
        for prediction in _list(task, "predictions"):
            self.predictions += 1
            results = _list(prediction, "result")
            self.results += len(results)
            fractions.see(results)
        return check_task(config, task)

    def summary(self) -> dict[str, Any]:
        """The numbers, for machines."""
        return {
            "tasks": self.tasks,
            "predictions": self.predictions,
            "results": self.results,
            "errors": self.severities["error"],
            "warnings": self.severities["warning"],
            "rules": dict(self.rules.most_common()),
        }

    def __str__(self) -> str:
        numbers = self.summary()
        rules = numbers.pop("rules")
        text = ", ".join(
            f"{number:,} {name if number != 1 else name[:-1]}" for name, number in numbers.items()
        )
        return text + "".join(f"\n  {rule}: {number:,}" for rule, number in rules.items())


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _row(entry: "Entry | None", finding: "Finding") -> Row:
    """Without an entry the finding is of the label config or of the whole file."""
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


def _lines(rows: Iterator[Row], count: Count, limit: int) -> None:
    """JSON Lines: the findings, and an object with the summary."""
    from shared.label_studio.json_stream import dump_line

    for shown, row in enumerate(rows):
        if not limit or shown < limit:
            sys.stdout.buffer.write(dump_line(row))
    sys.stdout.buffer.write(dump_line({"summary": count.summary()}))
    sys.stdout.buffer.flush()


def _table(rows: Iterator[Row], count: Count, limit: int) -> None:
    """Tables of the findings, and the summary."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    left = limit or float("inf")
    while left and (page := list(islice(rows, int(min(PAGE, left))))):
        console.print(_page(page))
        left -= len(page)
    more = sum(1 for _ in rows)
    if more:
        console.print(f"and {more:,} more; --limit 0 shows all", highlight=False)
    console.print(str(count), highlight=False, markup=False)


def _page(rows: list[Row]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    cells = [_cells(row) for row in rows]
    for name in cells[0]:
        if any(texts[name] for texts in cells):
            table.add_column(name, overflow="fold", no_wrap=name in {"task", "line", "finding"})
    for row, texts in zip(rows, cells, strict=True):
        style = "red" if row["severity"] == "error" else "yellow"
        shown = (texts[str(column.header)] for column in table.columns)
        table.add_row(*(Text(escape_control(text)) for text in shown), style=style)
    return table


def _cells(row: Row) -> dict[str, str]:
    """A finding as a table shows it, by the columns' names."""
    region, result = row["region"], row["result"]
    place = f"result {result}" if region is None and result is not None else region
    cells = {
        "task": row["task"],
        "line": row["line"],
        "id": row["id"],
        "pred.": row["prediction"],
        "region": place,
        "finding": f"{row['severity']}: {row['rule']}",
        "message": row["message"].removeprefix(f"region {region}: ").removeprefix(f"{place}: "),
    }
    return {name: "" if value is None else str(value) for name, value in cells.items()}
