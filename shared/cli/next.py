"""`prelabel next`: an order of the tasks without annotation, by what helps a model most."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.annotated_input import (
    INPUT_HELP,
    LABEL_CONFIG_HELP,
    PROJECT_HELP,
    AnnotatedInput,
    open_annotated_input,
    print_problems,
)
from shared.cli.local_path import check_local
from shared.errors import SettingError
from shared.evaluation.labeling_order.strategy import StrategyName

if TYPE_CHECKING:
    from shared.cli.progress import Meter
    from shared.evaluation.annotated_task import AnnotatedTask
    from shared.evaluation.labeling_order.embedder import EmbeddedTask
    from shared.evaluation.labeling_order.strategy import RankedTask, Strategy
    from shared.evaluation.problems import ProblemLog
    from shared.pipeline.plan import PredictionPlan

# Tasks that are printed of an order that is stored in a project.
SHOWN_TASKS = 10
# What the score of each strategy is.
SCORE_NAMES = {
    StrategyName.uncertainty: "margin",
    StrategyName.diverse: "distance to those before",
    StrategyName.disagreement: "disagreement",
}


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

    inputs: list[str]
    label_config: Path | None
    project: int | None
    strategy: StrategyName
    limit: int
    backends: list[str]
    versions: list[str]
    output: Path | None
    remove: bool


@dataclass
class Tally:
    """The number of tasks that were read, and of those without annotation."""

    tasks: int = 0
    unlabelled: int = 0

    def count(self, tasks: "Iterable[AnnotatedTask]", meter: "Meter") -> "Iterator[AnnotatedTask]":
        """Yield the tasks, counted."""
        for task in tasks:
            self.tasks += 1
            self.unlabelled += not task.annotations
            yield task
            meter.report_done(self.tasks)


@app.command(name="next")
def next_tasks(
    inputs: list[str] = typer.Argument(None, metavar="INPUT", help=INPUT_HELP),
    label_config: Path = typer.Option(None, help=LABEL_CONFIG_HELP, exists=True, dir_okay=False),
    project: int = typer.Option(
        None, help=f'{PROJECT_HELP}: its view "Label next" gets the order, for the labelling stream'
    ),
    strategy: StrategyName = typer.Option(
        StrategyName.uncertainty,
        help="First those of which the model is least sure (uncertainty), the least like all others"
        " (diverse), or those on which versions differ most (disagreement)",
    ),
    limit: int = typer.Option(1000, min=1, help="Tasks in the order at most"),
    backend: list[str] = typer.Option(
        None,
        help="Predict now with a backend, or backend:model, instead of reading the stored"
        " predictions; may be repeated. With diverse: whose model looks at the tasks",
    ),
    version: list[str] = typer.Option(
        None, help="A model version whose stored predictions are read; may be repeated"
    ),
    output: Path = typer.Option(
        None, "--output", "-o", callback=check_local, help="Write the order, as JSON Lines"
    ),
    remove: bool = typer.Option(
        False, "--remove", help="Take the order and its view out of --project again"
    ),
) -> None:
    """Order the tasks without annotation: what to label next.

    Skipped tasks and drafts count as not annotated. Asking again replaces the order.
    """
    if remove and project is None:
        raise typer.BadParameter("--remove needs --project")
    options = Options(
        inputs or [],
        label_config,
        project,
        strategy,
        limit,
        list(dict.fromkeys(backend or [])),
        version or [],
        output,
        remove,
    )
    from shared.pipeline.runtime import reset_runtime

    try:
        _remove(options) if remove else _run(options)
    finally:
        reset_runtime()


def _remove(options: Options) -> None:
    from shared.backend.process_resources import shared_resources
    from shared.evaluation.labeling_order.stored_order import remove_order
    from shared.label_studio.project import Project

    assert options.project is not None
    project = Project(options.project, shared_resources().settings)
    typer.echo(remove_order(project, (entry.task for entry in project)))


def _run(options: Options) -> None:
    from shared.evaluation.problems import ProblemLog

    problems = ProblemLog()
    source = open_annotated_input(
        options.inputs,
        options.project,
        options.label_config,
        problems,
        needs_predictions=options.strategy is not StrategyName.diverse and not options.backends,
    )
    tally = Tally()
    ranked = _rank(options, source, tally, problems)
    print_problems(problems)
    if not tally.tasks:
        raise SettingError("there are no tasks")
    first = ranked[: options.limit]
    if options.output is not None:
        _write_lines(first, options.output)
    if ranked:
        _print_table(first, options)
    typer.echo(_describe_count(len(first), tally))
    if source.project is not None and not options.inputs:
        from shared.evaluation.labeling_order.stored_order import store_order

        typer.echo(store_order(source.project, first, (one.task for one in source.project)))


def _rank(
    options: Options, source: AnnotatedInput, tally: Tally, problems: "ProblemLog"
) -> "list[RankedTask]":
    """Return the tasks without annotation in their order; none if all have one."""
    from shared.cli.progress import Meter

    plans = _load_plans(options, source, problems)
    with Meter(source.tasks, "next") as meter:
        tasks = tally.count(source.tasks, meter)
        if options.strategy is StrategyName.diverse:
            strategy: Strategy[Any] = _create_diversity(options)
            seen: Iterable[Any] = _embedded(tasks, plans, problems)
        else:
            strategy = _create_strategy(options, problems)
            seen = _predicted(tasks, plans, source, problems)
        for one in seen:
            strategy.add(one)
    return strategy.rank() if tally.unlabelled else []


def _load_plans(
    options: Options, source: AnnotatedInput, problems: "ProblemLog"
) -> "Sequence[PredictionPlan]":
    """Return the plans of the backends that are asked for; diversity always needs one."""
    if not options.backends and options.strategy is not StrategyName.diverse:
        return ()
    from shared.pipeline.command_plans import load_plans
    from shared.pipeline.runtime import runtime

    plans = load_plans(runtime(), source.config, options.backends)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        problems.add(problem)
    return plans


def _predicted(
    tasks: "Iterator[AnnotatedTask]",
    plans: "Sequence[PredictionPlan]",
    source: AnnotatedInput,
    problems: "ProblemLog",
) -> "Iterator[AnnotatedTask]":
    """Yield the tasks with new predictions where backends are asked for."""
    if not plans:
        return tasks
    from shared.evaluation.fresh_predictions import FreshPredictions
    from shared.pipeline.runtime import runtime

    fresh = FreshPredictions(runtime().pipeline, plans, source.tasks.reader, problems)
    return fresh.predict(tasks, is_wanted=lambda task: not task.annotations)


def _create_strategy(options: Options, problems: "ProblemLog") -> "Strategy[AnnotatedTask]":
    from shared.evaluation.labeling_order.disagreement import DisagreementStrategy
    from shared.evaluation.labeling_order.uncertainty import UncertaintyStrategy

    if options.strategy is StrategyName.disagreement:
        return DisagreementStrategy(problems, options.versions)
    return UncertaintyStrategy(problems, options.versions)


def _create_diversity(options: Options) -> "Strategy[EmbeddedTask]":
    from shared.evaluation.labeling_order.diversity import DiversityStrategy

    return DiversityStrategy(options.limit)


def _embedded(
    tasks: "Iterator[AnnotatedTask]", plans: "Sequence[PredictionPlan]", problems: "ProblemLog"
) -> "Iterator[EmbeddedTask]":
    """Yield the tasks with what the models make of them."""
    from shared.evaluation.labeling_order.embedder import TaskEmbedder
    from shared.pipeline.runtime import runtime

    return TaskEmbedder(plans, runtime().models, problems).embed(tasks)


def _write_lines(ranked: "Sequence[RankedTask]", output: Path) -> None:
    from shared.label_studio.json_stream import dump_line

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(b"".join(dump_line(one._asdict()) for one in ranked))
    except OSError as error:
        raise SettingError(f"{output}: {error}") from None


def _print_table(ranked: "Sequence[RankedTask]", options: Options) -> None:
    """Print the order; only its beginning if it is also stored or written."""
    is_kept = options.output is not None or not options.inputs
    typer.echo(f"{'rank':>6}  {'task':<12}  {SCORE_NAMES[options.strategy]}")
    for one in ranked[:SHOWN_TASKS] if is_kept else ranked:
        score = "unknown" if one.score is None else f"{one.score:.3f}"
        typer.echo(f"{one.rank:>6}  {one.name:<12}  {score}")


def _describe_count(ranked: int, tally: Tally) -> str:
    if not tally.unlabelled:
        return f"all of {tally.tasks:,} tasks have annotations: nothing is left to label"
    return f"{ranked:,} of {tally.unlabelled:,} tasks without annotation are in the order"
