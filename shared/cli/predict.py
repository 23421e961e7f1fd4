"""`prelabel predict`: predictions of many tasks, into an import file or a project."""

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.label_studio.import_file import ImportFile
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.project import Project, Push
    from shared.pipeline.bulk import ResumableSource, Source

# How the reasons of regions that were left out begin: their tasks have not failed.
DROPPED = "dropped_"
# Failures that are listed at the end; all are in their file.
LISTED = 10


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    inputs: list[str]
    label_config: Path | None
    output: Path
    backends: list[str]
    resume: bool
    push: bool
    project: int | None
    url_prefix: str | None


@app.command()
def predict(
    inputs: list[str] = typer.Argument(
        None,
        metavar="INPUT",
        help="Files of tasks (JSON, JSON Lines, CSV, also in gzip; - for standard input), folders"
        " or globs of media. Without any: the tasks of --project.",
    ),
    label_config: Path = typer.Option(
        None,
        help="The label config, an XML file (else that of --project)",
        exists=True,
        dir_okay=False,
    ),
    output: Path = typer.Option(
        None, "--output", "-o", help="The import file: .json or .jsonl, also with .gz"
    ),
    backend: list[str] = typer.Option(
        None,
        help="A backend, or backend:model; each that is named gives a prediction of its own."
        " Without any, all that are installed make one together.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on where an earlier run stopped"),
    push: bool = typer.Option(
        False,
        "--push",
        help="Store the predictions in --project; tasks of an INPUT are imported with them",
    ),
    project: int = typer.Option(None, help="Number of a project of LABEL_STUDIO_URL"),
    url_prefix: str = typer.Option(
        None,
        help="What stands before a medium's path in its folder, as Label Studio will open it"
        " (else /data/local-files/?d=FOLDER/)",
        show_default=False,
    ),
) -> None:
    """Predict many tasks. The exit status is 1 if some failed."""
    if not inputs and project is None:
        raise typer.BadParameter("nothing to predict: name an INPUT, or --project")
    if label_config is None and project is None:
        raise typer.BadParameter("--label-config is missing")
    if push and project is None:
        raise typer.BadParameter("--push needs --project")
    if output is None and not push:
        raise typer.BadParameter("where to? name -o OUTPUT, or --push")
    output = output or Path(f"project-{project}.json")
    names = list(dict.fromkeys(backend or []))
    options = Options(inputs or [], label_config, output, names, resume, push, project, url_prefix)
    if _work(options):
        raise typer.Exit(1)


def _work(options: Options) -> bool:
    """Do it all; whether tasks failed."""
    from shared.label_studio.import_file import failures, is_finished
    from shared.pipeline.runtime import reset_runtime
    from shared.server import logs

    logs.configure_logging("WARNING")
    for said_here in (
        "shared.pipeline.failures",
        "shared.pipeline.planner",
    ):  # and in fewer words than a log's
        logging.getLogger(said_here).setLevel(logging.CRITICAL)
    if options.resume and is_finished(options.output):
        typer.echo(f"{options.output} is finished already")
        return _list(failures(options.output), options.output)
    try:
        _predict(options)
    except KeyboardInterrupt:
        typer.echo("Interrupted; --resume goes on from here", err=True)
        raise typer.Exit(130) from None
    except OSError as error:  # such as a full disk
        raise SettingError(f"{options.output}: {error}; --resume goes on from there") from None
    finally:
        reset_runtime()
    return _list(failures(options.output), options.output)


def _predict(options: Options) -> None:
    from shared.cli.progress import Meter, counted, duration
    from shared.label_studio.import_file import ImportFile
    from shared.label_studio.import_filter import summary
    from shared.pipeline.bulk import BulkPrediction
    from shared.pipeline.command_plans import load_plans
    from shared.pipeline.runtime import runtime

    project = _project(options.project)
    config = _config(options, project)
    plans = load_plans(runtime(), config, options.backends)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        typer.echo(f"prelabel: {problem}", err=True)
    versions = [plan.version() for plan in plans]
    if project is not None and options.push and not options.inputs:
        project.versions = frozenset(versions)
    digest = hashlib.sha256(config.xml.encode()).hexdigest()[:12]
    head = {"label_config": digest, "model_versions": versions}
    source = _source(options, config, project)
    with ImportFile(options.output, head, options.resume) as file:
        before = file.done
        if before:
            typer.echo(f"{counted(before)} done already", err=True)
        sent = _push(options, project, file)
        with Meter(source, "predict") as meter:
            job = BulkPrediction(runtime().pipeline, source, plans, file, sent, meter.show)
            job.run()
        done, seconds = file.done - before, meter.seconds
    rate = done / max(seconds, 1e-3)
    tasks = counted(done)
    typer.echo(f"{options.output}: {tasks} in {duration(seconds)}, {rate:,.0f} a second")
    for line in summary(job.left_out):
        typer.echo(f"{options.output}: {line}", err=True)


def _project(number: int | None) -> "Project | None":
    from shared.label_studio.project import Project
    from shared.pipeline.runtime import runtime

    return None if number is None else Project(number, runtime().settings)


def _push(options: Options, project: "Project | None", file: "ImportFile") -> "Push | None":
    from shared.label_studio.project import Push

    if project is None or not options.push:
        return None
    return Push(project, file, new=bool(options.inputs))


def _config(options: Options, project: "Project | None") -> "LabelConfig":
    from shared.label_studio.label_config import LabelConfig

    if options.label_config is not None:
        return LabelConfig.parse(options.label_config.read_text("utf-8", errors="replace"))
    assert project is not None
    return LabelConfig.parse(project.label_config)


def _source(
    options: Options, config: "LabelConfig", project: "Project | None"
) -> "ResumableSource":
    from shared.label_studio.media_folder import MediaFiles, is_media, shown_by
    from shared.label_studio.task_file import TasksFile
    from shared.pipeline.bulk import Inputs
    from shared.pipeline.runtime import runtime

    root = runtime().settings.local_files_root
    sources: list[Source] = []
    for name in options.inputs:
        if is_media(name, config):
            sources.append(MediaFiles(name, shown_by(config), options.url_prefix, root))
        else:
            sources.append(TasksFile(name, tables=True))
    return project if project is not None and not sources else Inputs(sources)


def _list(failures: "Iterable[dict[str, Any]]", output: Path) -> bool:
    """Say what failed, and what was left out; whether tasks failed."""
    from shared.cli.progress import counted
    from shared.label_studio.import_file import failures_path

    first: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    failed, last = 0, None
    for failure in failures:
        reasons[failure["reason"]] += 1
        if not failure["reason"].startswith(DROPPED):
            failed += failure["index"] != last
            last = failure["index"]
        if len(first) < LISTED:
            first.append(failure)
    for failure in first:
        typer.echo(f"  {_place(failure)}: {failure['backend']}: {failure['message']}", err=True)
    if reasons:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
        where = failures_path(output)
        typer.echo(f"{counted(failed)} failed ({counts}): see {where}", err=True)
    return failed > 0


def _place(failure: "dict[str, Any]") -> str:
    line = "" if failure["line"] is None else f", line {failure['line']}"
    task = "" if failure["task"] is None else f", id {failure['task']}"
    return f"{failure['source']}{line or ', task ' + str(failure['index'])}{task}"
