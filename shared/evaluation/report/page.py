"""Writes the report: report.html, one page that needs no network, and report.json."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from shared import __version__
from shared.errors import SettingError
from shared.evaluation.evaluation import VersionEvaluation
from shared.evaluation.figures import (
    NO_CASES,
    FigureRow,
    column_keys,
    control_rows,
    figure_name,
    format_number,
    label_rows,
    scheme_rows,
)
from shared.evaluation.problems import Problem
from shared.evaluation.report.charts import (
    CalibrationBin,
    ConfusionMatrix,
    CurveChart,
    draw_calibration,
    draw_confusion,
    draw_curves,
)
from shared.evaluation.report.drawings import TaskDrawer, TaskDrawing, link_task
from shared.evaluation.report.marks import KINDS
from shared.media.reader import MediaReader

HTML_NAME = "report.html"
JSON_NAME = "report.json"
TEMPLATE = "report.html.j2"
STYLESHEET = "report.css"


@dataclass(frozen=True)
class ReportSources:
    """What the report is made of beside its figures.

    `task_url` is the address to which a task's id is added to open it in Label Studio; None if
    the tasks are in none. `title` names the tasks: the project, or the files.
    """

    versions: Mapping[str, VersionEvaluation]
    problems: Iterable[Problem]
    media: MediaReader
    title: str = ""
    task_url: str | None = None


@dataclass(frozen=True)
class ControlPart:
    """What the page shows of a control tag: its own row comes first, then those of its labels."""

    row: FigureRow
    rows: list[FigureRow]
    columns: list[str]
    schemes: list[FigureRow]
    scheme_columns: list[str]
    curves: list[CurveChart]
    confusion: ConfusionMatrix | None
    calibration: list[CalibrationBin]

    def applies(self, row: FigureRow, key: str) -> bool:
        """Return whether rows like this one have a figure at all: labels have no accuracy."""
        return any(key in o.figures for o in self.rows if (o.label is None) == (row.label is None))


@dataclass(frozen=True)
class VersionPart:
    """What the page shows of a version."""

    name: str
    tasks: int
    controls: list[ControlPart]
    worst: list[TaskDrawing]


@dataclass(frozen=True)
class Comparison:
    """A control tag in each of several versions; None where a version does not have it."""

    control: str
    keys: list[str]
    rows: list[FigureRow | None]


def write_report(folder: Path, report: Mapping[str, Any], sources: ReportSources) -> Path:
    """Write report.html and report.json into a folder, and return the page's path.

    `report` is what `Evaluation.report` returns. SettingError if the folder cannot be written.
    """
    problems = list(sources.problems)
    listed = [{"problem": p.message, "count": p.count, "tasks": p.tasks} for p in problems]
    page = render_page(report, sources, problems)
    data = orjson.dumps({**report, "problems": listed}, option=orjson.OPT_INDENT_2)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JSON_NAME).write_bytes(data)
        (folder / HTML_NAME).write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise SettingError(f"the report cannot be written to {folder}: {error.strerror}") from None
    return folder / HTML_NAME


def render_page(
    report: Mapping[str, Any], sources: ReportSources, problems: Iterable[Problem]
) -> str:
    """Return the page's HTML."""
    drawer = TaskDrawer(sources.media, sources.task_url)
    versions = [
        _build_version(name, part, sources.versions.get(name), drawer)
        for name, part in report["versions"].items()
    ]
    page: str = (
        _create_environment()
        .get_template(TEMPLATE)
        .render(
            title=sources.title,
            report=report,
            versions=versions,
            comparisons=compare_versions(report) if len(versions) > 1 else [],
            problems=list(problems),
            images=drawer.images.by_id,
            kinds=KINDS,
            link=partial(link_task, sources.task_url),
            made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            program=f"prelabel {__version__}",
        )
    )
    return page


@cache
def _create_environment() -> Any:
    import jinja2

    environment: Any = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure_name": figure_name, "number": format_number}
    environment.globals |= {"NO_CASES": NO_CASES, "stylesheet": _read_stylesheet()}
    return environment


def _read_stylesheet() -> str:
    return resources.files(__package__).joinpath("templates", STYLESHEET).read_text("utf-8")


def _build_version(
    name: str, part: Mapping[str, Any], evaluated: VersionEvaluation | None, drawer: TaskDrawer
) -> VersionPart:
    controls = [_build_control(row, part, evaluated) for row in control_rows(part)]
    worst = [drawer.draw(result) for result in evaluated.worst_tasks()] if evaluated else []
    return VersionPart(name, part["tasks"], controls, worst)


def _build_control(
    row: FigureRow, version: Mapping[str, Any], evaluated: VersionEvaluation | None
) -> ControlPart:
    part = version["controls"][row.control]
    labels = label_rows(version, row.control)
    metric = evaluated.metrics.get(row.control) if evaluated else None
    scored = metric.scored() if metric else {}
    schemes = scheme_rows(version, row.control)
    return ControlPart(
        row,
        [row, *labels],
        column_keys([row, *labels]),
        schemes,
        column_keys(schemes),
        draw_curves(scored),
        draw_confusion(part.get("confusion") or {}),
        draw_calibration(scored) if "ece" in row.figures else [],
    )


def compare_versions(report: Mapping[str, Any]) -> list[Comparison]:
    """Return the control tags that have figures, with the versions side by side."""
    versions = [
        {row.control: row for row in control_rows(part)} for part in report["versions"].values()
    ]
    found = []
    for control in dict.fromkeys(name for by_name in versions for name in by_name):
        rows = [by_name.get(control) for by_name in versions]
        keys = column_keys([row for row in rows if row is not None])
        if keys:
            found.append(Comparison(control, keys, rows))
    return found
