"""`prelabel predict`: predicts many tasks into an import file or a project."""

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
    from shared.label_studio.project import Project, Upload
    from shared.pipeline.bulk import ResumableSource, Source

# The reasons of regions that were left out begin so: their tasks have not failed.
DROPPED_PREFIX = "dropped_"
# Failures that are printed at the end. The file of failures has all of them.
MAX_LISTED_FAILURES = 10
# These modules log what the command prints itself, in fewer words.
SILENCED_LOGGERS = ("shared.pipeline.failures", "shared.pipeline.planner")


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

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
        help="Files of tasks (JSON, JSON Lines or CSV, also gzipped; - for standard input), folders"
        " or globs of media files (default: the tasks of --project)",
    ),
    label_config: Path = typer.Option(
        None,
        help="The label config, an XML file (default: that of --project)",
        exists=True,
        dir_okay=False,
    ),
    output: Path = typer.Option(
        None, "--output", "-o", help="The file to write for import: .json or .jsonl, also with .gz"
    ),
    backend: list[str] = typer.Option(
        None,
        help="A backend, or backend:model; may be repeated: each makes a prediction of its own"
        " (default: all installed backends make one together)",
    ),
    resume: bool = typer.Option(False, "--resume", help="Continue an interrupted run"),
    push: bool = typer.Option(
        False,
        "--push",
        help="Upload the predictions to --project; the tasks of an INPUT are imported with them",
    ),
    project: int = typer.Option(None, help="ID of a project in LABEL_STUDIO_URL"),
    url_prefix: str = typer.Option(
        None,
        help="URL prefix of media files in the written tasks, before their path in the folder"
        " (default: /data/local-files/?d=FOLDER/)",
        show_default=False,
    ),
) -> None:
    """Predict many tasks, into a file for import or a project.

    The exit status is 1 if tasks failed; they are listed beside the output, in
    OUTPUT.failures.jsonl.
    """
    if not inputs and project is None:
        raise typer.BadParameter("nothing to predict: specify an INPUT, or --project")
    if label_config is None and project is None:
        raise typer.BadParameter("--label-config is missing")
    if push and project is None:
        raise typer.BadParameter("--push needs --project")
    if output is None and not push:
        raise typer.BadParameter("no output: specify -o OUTPUT, or --push")
    output = output or Path(f"project-{project}.json")
    names = list(dict.fromkeys(backend or []))
    options = Options(inputs or [], label_config, output, names, resume, push, project, url_prefix)
    if _run(options):
        raise typer.Exit(1)


def _run(options: Options) -> bool:
    """Predict and report; return whether tasks failed."""
    from shared.label_studio.import_file import is_finished, read_failures
    from shared.pipeline.runtime import reset_runtime
    from shared.server import logs

    logs.configure_logging("WARNING")
    for name in SILENCED_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if options.resume and is_finished(options.output):
        typer.echo(f"{options.output} is finished already")
        return _report_failures(read_failures(options.output), options.output)
    try:
        _predict(options)
    except KeyboardInterrupt:
        typer.echo("Interrupted; continue with --resume", err=True)
        raise typer.Exit(130) from None
    except OSError as error:  # such as a full disk
        raise SettingError(f"{options.output}: {error}; continue with --resume") from None
    finally:
        reset_runtime()
    return _report_failures(read_failures(options.output), options.output)


def _predict(options: Options) -> None:
    from shared.cli.progress import Meter, format_count, format_duration
    from shared.label_studio.import_file import ImportFile
    from shared.label_studio.import_filter import describe_left_out
    from shared.pipeline.bulk import BulkPrediction
    from shared.pipeline.command_plans import load_plans
    from shared.pipeline.runtime import runtime

    project = _open_project(options.project)
    config = _read_label_config(options, project)
    plans = load_plans(runtime(), config, options.backends)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        typer.echo(f"prelabel: {problem}", err=True)
    versions = [plan.version() for plan in plans]
    if project is not None and options.push and not options.inputs:
        project.versions = frozenset(versions)
    digest = hashlib.sha256(config.xml.encode()).hexdigest()[:12]
    head = {"label_config": digest, "model_versions": versions}
    source = _open_source(options, config, project)
    with ImportFile(options.output, head, options.resume) as file:
        done_before = file.done
        if done_before:
            typer.echo(f"{format_count(done_before)} done already", err=True)
        sent = _create_upload(options, project, file)
        with Meter(source, "predict") as meter:
            job = BulkPrediction(runtime().pipeline, source, plans, file, sent, meter.report_done)
            job.run()
        done, seconds = file.done - done_before, meter.seconds
    rate = done / max(seconds, 1e-3)
    tasks = format_count(done)
    typer.echo(f"{options.output}: {tasks} in {format_duration(seconds)}, {rate:,.0f} per second")
    for line in describe_left_out(job.left_out):
        typer.echo(f"{options.output}: {line}", err=True)


def _open_project(number: int | None) -> "Project | None":
    from shared.label_studio.project import Project
    from shared.pipeline.runtime import runtime

    return None if number is None else Project(number, runtime().settings)


def _create_upload(
    options: Options, project: "Project | None", file: "ImportFile"
) -> "Upload | None":
    from shared.label_studio.project import Upload

    if project is None or not options.push:
        return None
    return Upload(project, file, new=bool(options.inputs))


def _read_label_config(options: Options, project: "Project | None") -> "LabelConfig":
    from shared.label_studio.label_config import LabelConfig

    if options.label_config is not None:
        return LabelConfig.parse(options.label_config.read_text("utf-8", errors="replace"))
    assert project is not None
    return LabelConfig.parse(project.label_config)


def _open_source(
    options: Options, config: "LabelConfig", project: "Project | None"
) -> "ResumableSource":
    from shared.label_studio.media_folder import MediaFolder, find_media_tag, is_media
    from shared.label_studio.task_file import TaskFile
    from shared.pipeline.bulk import Inputs
    from shared.pipeline.runtime import runtime

    root = runtime().settings.local_files_root
    sources: list[Source] = []
    for name in options.inputs:
        if is_media(name, config):
            sources.append(MediaFolder(name, find_media_tag(config), options.url_prefix, root))
        else:
            sources.append(TaskFile(name, tables=True))
    return project if project is not None and not sources else Inputs(sources)


def _report_failures(failures: "Iterable[dict[str, Any]]", output: Path) -> bool:
    """Print what failed and what was left out; return whether tasks failed."""
    from shared.cli.progress import format_count
    from shared.label_studio.import_file import failures_path

    listed: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    failed_tasks, last_index = 0, None
    for failure in failures:
        reasons[failure["reason"]] += 1
        if not failure["reason"].startswith(DROPPED_PREFIX):
            # several backends may fail on one task: it counts once
            failed_tasks += failure["index"] != last_index
            last_index = failure["index"]
        if len(listed) < MAX_LISTED_FAILURES:
            listed.append(failure)
    for failure in listed:
        where = _describe_task(failure)
        typer.echo(f"  {where}: {failure['backend']}: {failure['message']}", err=True)
    if reasons:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
        count, path = format_count(failed_tasks), failures_path(output)
        typer.echo(f"{count} failed ({counts}): see {path}", err=True)
    return failed_tasks > 0


def _describe_task(failure: "dict[str, Any]") -> str:
    """Return where a task is: the source, and the line in it or the task's index."""
    place = f"task {failure['index']}" if failure["line"] is None else f"line {failure['line']}"
    task_id = "" if failure["task"] is None else f", id {failure['task']}"
    return f"{failure['source']}, {place}{task_id}"
