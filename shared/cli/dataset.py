"""`prelabel dataset`: annotated tasks become a dataset that a trainer opens."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shared.cli import app
from shared.cli.annotated_input import (
    INPUT_HELP,
    LABEL_CONFIG_HELP,
    PROJECT_HELP,
    open_annotated_input,
    print_problems,
)
from shared.cli.local_path import check_local
from shared.errors import SettingError
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.dataset.options import (
    DatasetFormat,
    DatasetOptions,
    YoloTask,
    parse_split,
)

if TYPE_CHECKING:
    from shared.cli.progress import Meter
    from shared.evaluation.dataset.manifest import Manifest
    from shared.evaluation.task_source import AnnotatedTasks


@app.command()
def dataset(
    inputs: list[str] = typer.Argument(None, metavar="INPUT", help=INPUT_HELP),
    output: Path = typer.Option(
        ...,
        "--output",
        "-o",
        callback=check_local,
        help="The folder to write: empty, or new",
        file_okay=False,
    ),
    format: DatasetFormat = typer.Option(  # noqa: A002
        ..., help="Whose loader opens it: Ultralytics, COCO's, Hugging Face datasets, or spaCy"
    ),
    project: int = typer.Option(None, help=PROJECT_HELP),
    label_config: Path = typer.Option(None, help=LABEL_CONFIG_HELP, exists=True, dir_okay=False),
    task: YoloTask = typer.Option(
        None, help="With --format yolo: the kind of model (default: by the label config)"
    ),
    annotations: AnnotationChoice = typer.Option(
        AnnotationChoice.latest,
        help="Of several annotations of a task: the latest, or the consensus of the annotators",
    ),
    split: str = typer.Option("0.8,0.1,0.1", help="The shares of train, val and test"),
    seed: int = typer.Option(0, help="Another number splits otherwise"),
    frame_step: int = typer.Option(
        10, min=1, help="Of videos, every how many frames one becomes a picture"
    ),
    language: str = typer.Option(
        "xx", help="With --format spacy: the language whose tokenizer is used, such as en"
    ),
    near_duplicates: bool = typer.Option(
        True,
        "--near-duplicates/--ignore-near-duplicates",
        help="Keep tasks that are nearly the same in one part of the split",
    ),
    resume: bool = typer.Option(False, "--resume", help="Continue an interrupted run"),
) -> None:
    """Write annotated tasks as a dataset, split into train, val and test.

    The exit status is 1 if media could not be fetched; they are listed in failures.jsonl.
    """
    options = DatasetOptions(
        output,
        format,
        task,
        annotations,
        parse_split(split),
        seed,
        frame_step,
        language,
        near_duplicates,
        resume,
    )
    if _run(options, inputs, project, label_config):
        raise typer.Exit(1)


def _run(
    options: DatasetOptions, inputs: list[str] | None, project: int | None, config: Path | None
) -> bool:
    """Build and report; return whether media could not be fetched."""
    from shared.evaluation.dataset.manifest import Manifest
    from shared.evaluation.dataset.workspace import MANIFEST, Workspace
    from shared.pipeline.runtime import reset_runtime

    if options.resume and Workspace(options.output).is_complete:
        typer.echo(f"{options.output} is finished already")
        return _report(Manifest.read(options.output / MANIFEST), options.output)
    try:
        manifest = _build(options, inputs, project, config)
    except KeyboardInterrupt:
        typer.echo("Interrupted; continue with --resume", err=True)
        raise typer.Exit(130) from None
    except OSError as error:  # such as a full disk
        raise SettingError(f"{options.output}: {error}; continue with --resume") from None
    finally:
        reset_runtime()
    return _report(manifest, options.output)


def _build(
    options: DatasetOptions, inputs: list[str] | None, project: int | None, config: Path | None
) -> "Manifest":
    from shared.backend.process_resources import shared_resources
    from shared.evaluation.dataset.build import BuildTools, build_dataset
    from shared.evaluation.problems import ProblemLog

    problems = ProblemLog()
    source = open_annotated_input(inputs, project, config, problems, needs_predictions=False)
    try:
        with _StageMeters(source.tasks) as meters:
            tools = BuildTools(shared_resources().media, problems, meters.report)
            return build_dataset(source.tasks, source.config, options, tools)
    finally:
        print_problems(problems)


class _StageMeters:
    """Shows the progress of reading, fetching and writing, one after the other."""

    def __init__(self, tasks: "AnnotatedTasks") -> None:
        self._tasks = tasks
        self._stage, self._done = "", 0
        self._total: int | None = None
        self._meters = ExitStack()
        self._meter: Meter | None = None

    def __enter__(self) -> "_StageMeters":
        return self

    def __exit__(self, *error: object) -> None:
        self._meters.close()

    @property
    def fraction(self) -> float | None:
        """The share of the stage that is done, from 0 to 1; None if that is not known."""
        return self._tasks.fraction if self._total is None else self._done / max(self._total, 1)

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Show how many tasks of a stage are done."""
        from shared.cli.progress import Meter

        self._done, self._total = done, total
        if self._meter is None or stage != self._stage:
            self._meters.close()
            self._stage = stage
            self._meter = self._meters.enter_context(Meter(self, stage))
        self._meter.report_done(done)


def _report(manifest: "Manifest", output: Path) -> bool:
    """Print what is in the dataset; return whether media could not be fetched."""
    from shared.cli.progress import format_count

    counts = ", ".join(f"{part} {count:,}" for part, count in manifest.counts.items())
    tasks = format_count(len(manifest.entries))
    typer.echo(f"{output}: {tasks} ({counts or 'none can be used'}), version {manifest.version}")
    for reason, count in manifest.left_out.items():
        typer.echo(f"{output}: {format_count(count)} left out: {reason}", err=True)
    if manifest.failed_media:
        typer.echo(
            f"{manifest.failed_media:,} media could not be used: see {output}/failures.jsonl",
            err=True,
        )
    return manifest.failed_media > 0
