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
from shared.errors import SettingError
from shared.evaluation.annotation_choice import AnnotationChoice

if TYPE_CHECKING:
    from shared.evaluation.annotated_task import AnnotatedTask
    from shared.evaluation.evaluation import Evaluation
    from shared.evaluation.problems import ProblemLog


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
        None, "--output", "-o", help="A folder for the report: report.html and report.json"
    ),
    format: Format = typer.Option(Format.table, help="table, or json"),  # noqa: A002
    thresholds: bool = typer.Option(
        False, "--thresholds", help="Suggest a score threshold for each label"
    ),
    precision: float = typer.Option(
        None, min=0, max=1, help="The precision that --thresholds should reach (default: best F1)"
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
    )
    from shared.pipeline.runtime import reset_runtime

    try:
        _run(options)
    finally:
        reset_runtime()


def _run(options: Options) -> None:
    from shared.evaluation.problems import ProblemLog

    problems = ProblemLog()
    source = open_annotated_input(options.inputs, options.project, options.label_config, problems)
    evaluation = _evaluate(options, source, problems)
    figures = evaluation.report()
    print_problems(problems)
    _check_any(evaluation, options)
    _write(figures)


def _write(figures: dict[str, Any]) -> None:
    from shared.label_studio.json_stream import dump_line

    sys.stdout.buffer.write(dump_line(figures))
    sys.stdout.buffer.flush()


def _evaluate(options: Options, source: AnnotatedInput, problems: "ProblemLog") -> "Evaluation":
    from shared.cli.progress import Meter
    from shared.evaluation.evaluation import Evaluation

    evaluation = Evaluation(source.config, options.annotations, options.versions, problems=problems)
    with Meter(source.tasks, "evaluate") as meter:
        for number, task in enumerate(_predicted_tasks(options, source, problems), 1):
            evaluation.add(task)
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
    if not evaluation.read_tasks:
        raise SettingError("there are no tasks")
    if not evaluation.annotated_tasks:
        raise SettingError(
            f"none of {evaluation.read_tasks:,} tasks has an annotation that counts: skipped ones"
            " and drafts do not"
        )
    missing = [name for name, found in evaluation.versions.items() if not found.tasks]
    if missing or not evaluation.versions:
        stored = ", ".join(f'"{name}"' for name in evaluation.stored_versions) or "none"
        what = f"version {missing[0]!r}" if missing else "any version"
        raise SettingError(
            f"no annotated task has a prediction of {what}; stored are: {stored}"
            " (predict now with --backend)"
        )
