"""`prelabel evaluate`: how good predictions are, by what annotators made of the tasks."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.annotated_input import (
    ANNOTATIONS_HELP,
    INPUT_HELP,
    LABEL_CONFIG_HELP,
    PROJECT_HELP,
    AnnotatedInput,
    open_annotated_input,
    print_problems,
)
from shared.cli.local_path import check_local
from shared.errors import SettingError
from shared.evaluation.annotation_choice import AnnotationChoice

if TYPE_CHECKING:
    from shared.cli.evaluation_parts import EvaluationParts
    from shared.cli.progress import Meter
    from shared.evaluation.annotated_task import AnnotatedTask
    from shared.evaluation.evaluation import Evaluation
    from shared.evaluation.problems import ProblemLog
    from shared.label_studio.project import Project


class Format(str, Enum):
    """How the figures are written."""

    table = "table"
    json = "json"


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

    inputs: list[str]
    label_config: Path | None
    project: int | None
    versions: list[str]
    backends: list[str]
    annotations: AnnotationChoice
    report: Path | None
    format: Format
    thresholds: bool
    precision: float | None
    agreement: bool
    label_errors: bool
    push: bool
    time_saved: bool


@app.command()
def evaluate(
    inputs: list[str] = typer.Argument(None, metavar="INPUT", help=INPUT_HELP),
    label_config: Path = typer.Option(None, help=LABEL_CONFIG_HELP, exists=True, dir_okay=False),
    project: int = typer.Option(None, help=PROJECT_HELP),
    version: list[str] = typer.Option(
        None, help="A model version to evaluate; may be repeated (default: all that are stored)"
    ),
    backend: list[str] = typer.Option(
        None,
        help="Predict now with a backend, or backend:model, and evaluate that; may be repeated",
    ),
    annotations: AnnotationChoice = typer.Option(AnnotationChoice.latest, help=ANNOTATIONS_HELP),
    report: Path = typer.Option(
        None,
        "--output",
        "-o",
        callback=check_local,
        help="A folder for the report: report.html and report.json",
    ),
    format: Format = typer.Option(Format.table, help="table, or json"),  # noqa: A002
    thresholds: bool = typer.Option(
        False, "--thresholds", help="Suggest a score threshold for each label"
    ),
    precision: float = typer.Option(
        None, min=0, max=1, help="The precision that --thresholds should reach (default: best F1)"
    ),
    agreement: bool = typer.Option(
        False, "--agreement", help="How far several annotators of a task agree"
    ),
    label_errors: bool = typer.Option(
        False, "--label-errors", help="List the annotations that are most likely wrong"
    ),
    push: bool = typer.Option(
        False,
        "--push",
        help="Store each task's results in --project, with a view that has the worst ones first",
    ),
    time_saved: bool = typer.Option(
        False,
        "--time-saved",
        help="What people made of the stored predictions, and how long tasks took with and without",
    ),
    remove: bool = typer.Option(
        False, "--remove", help="Take back all that --push has stored in --project"
    ),
) -> None:
    """Compare predictions with annotations: precision, recall, F1 and more by control tag.

    Without --backend the predictions that are stored in the tasks are evaluated.
    """
    options = Options(
        inputs or [],
        label_config,
        project,
        version or [],
        list(dict.fromkeys(backend or [])),
        annotations,
        report,
        format,
        thresholds or precision is not None,
        precision,
        agreement,
        label_errors,
        push,
        time_saved,
    )
    if time_saved and backend:
        raise typer.BadParameter(
            "--time-saved is about the stored predictions that annotators began with: leave"
            " --backend out"
        )
    if (push or remove) and (project is None or inputs):
        raise typer.BadParameter("--push and --remove need --project, without an INPUT")
    from shared.pipeline.runtime import reset_runtime

    try:
        _remove(options) if remove else _run(options)
    finally:
        reset_runtime()


def _remove(options: Options) -> None:
    """Take back what was stored in the project."""
    from shared.cli.progress import Meter
    from shared.evaluation.problems import ProblemLog
    from shared.evaluation.pushed_results import remove_pushed

    problems = ProblemLog()
    with open_annotated_input([], options.project, options.label_config, problems) as source:
        assert source.project is not None
        with Meter(source.tasks, "remove") as meter:
            typer.echo(remove_pushed(source.project, _raw_tasks(source.project, meter)))


def _raw_tasks(project: "Project", meter: "Meter") -> "Iterator[Any]":
    for number, entry in enumerate(project, 1):
        yield entry.task
        meter.report_done(number)


def _run(options: Options) -> None:
    from shared.cli.evaluation_parts import EvaluationParts
    from shared.evaluation.problems import ProblemLog

    problems = ProblemLog()
    with open_annotated_input(
        options.inputs,
        options.project,
        options.label_config,
        problems,
        needs_predictions=not options.backends,
    ) as source:
        parts = EvaluationParts(source, options)
        evaluation = _evaluate(options, source, parts, problems)
        print_problems(problems)
        _check_any(evaluation, options)
        figures = evaluation.report() | parts.figures(evaluation)
        if options.format is Format.json:
            _write_json(figures)
        else:
            parts.print_tables(figures, evaluation)
        for sentence in parts.push():
            typer.echo(sentence, err=options.format is Format.json)
        if options.report is not None:
            page = _write_report(options.report, figures, evaluation, source)
            typer.echo(f"{page}: open it in a browser", err=options.format is Format.json)


def _evaluate(
    options: Options, source: AnnotatedInput, parts: "EvaluationParts", problems: "ProblemLog"
) -> "Evaluation":
    from shared.cli.progress import Meter
    from shared.evaluation.evaluation import Evaluation

    evaluation = Evaluation(
        source.config, options.annotations, options.versions, parts.result_observers, problems
    )
    with Meter(source.tasks, "evaluate") as meter:
        for number, task in enumerate(_predicted_tasks(options, source, problems), 1):
            parts.add_task(task, evaluation.add(task))
            meter.report_done(number)
    return evaluation


def _predicted_tasks(
    options: Options, source: AnnotatedInput, problems: "ProblemLog"
) -> "Iterator[AnnotatedTask]":
    """Yield the tasks with the predictions to evaluate: those stored, or new ones."""
    if not options.backends:
        return iter(source.tasks)
    from shared.evaluation.fresh_predictions import FreshPredictions
    from shared.pipeline.command_plans import load_plans
    from shared.pipeline.runtime import runtime

    plans = load_plans(runtime(), source.config, options.backends)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        problems.add(problem)
    fresh = FreshPredictions(runtime().pipeline, plans, source.tasks.reader, problems)
    return fresh.predict(source.tasks)


def _check_any(evaluation: "Evaluation", options: Options) -> None:
    """Raise SettingError if nothing could be compared."""
    from shared.cli.progress import format_count

    if not evaluation.read_tasks:
        raise SettingError("there are no tasks")
    if not evaluation.annotated_tasks:
        raise SettingError(
            f"none of {format_count(evaluation.read_tasks)} has an annotation that counts: skipped"
            " ones and drafts do not"
        )
    missing = [name for name, found in evaluation.versions.items() if not found.tasks]
    if (missing or not evaluation.versions) and not (options.agreement or options.time_saved):
        stored = ", ".join(f'"{name}"' for name in evaluation.stored_versions)
        what = f' of version "{missing[0]}"' if missing else ""
        raise SettingError(
            f"no annotated task has a prediction{what}; "
            + (f"stored are: {stored}" if stored else "none is stored")
            + " (predict now with --backend)"
        )


def _write_json(figures: dict[str, Any]) -> None:
    from shared.label_studio.json_stream import dump_line

    sys.stdout.buffer.write(dump_line(figures))
    sys.stdout.buffer.flush()


def _write_report(
    folder: Path, figures: dict[str, Any], evaluation: "Evaluation", source: AnnotatedInput
) -> Path:
    from shared.backend.process_resources import shared_resources
    from shared.evaluation.report.page import ReportSources, write_report

    sources = ReportSources(
        evaluation.versions,
        evaluation.problems,
        shared_resources().media,
        source.title,
        source.task_url,
    )
    return write_report(folder, figures, sources)
