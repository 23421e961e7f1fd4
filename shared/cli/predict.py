"""`prelabel predict`: predicts many tasks into an import file or a project."""

import hashlib
import logging
from collections import Counter
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shared.cli import app
from shared.cli.predict_inputs import Options, open_run
from shared.cli.predict_on_ray import Engine, RayOptions, predict_on_ray
from shared.errors import SettingError
from shared.label_studio.task_choice import Only

if TYPE_CHECKING:
    from shared.label_studio.import_file import ImportFile
    from shared.label_studio.project import Project
    from shared.label_studio.upload import Upload

# Reasons that a dry run prints.
MAX_LISTED_REASONS = 10
# These modules log what the command prints itself, in fewer words.
SILENCED_LOGGERS = ("shared.pipeline.failures", "shared.pipeline.planner")


@app.command()
def predict(
    inputs: list[str] = typer.Argument(
        None,
        metavar="INPUT",
        help="Files of tasks (JSON, JSON Lines, CSV or Parquet; - for standard input), folders"
        " or globs of media files (default: the tasks of --project)",
    ),
    label_config: Path = typer.Option(
        None,
        help="The label config, an XML file (default: that of --project)",
        exists=True,
        dir_okay=False,
    ),
    output: str = typer.Option(
        None,
        "--output",
        "-o",
        help="The file to write for import: .json or .jsonl, also with .gz, here or in a store",
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
    only: Only = typer.Option(
        None,
        metavar="WHICH",
        help="missing, unannotated or failed: only tasks without a prediction of this model"
        " version, without an annotation, or those that failed in the run that has written OUTPUT",
    ),
    replace: bool = typer.Option(
        False,
        "--replace",
        help="Remove predictions of older versions of these backends, once the new ones are there",
    ),
    min_score: float = typer.Option(
        0.0, help="Leave out regions of a lower score, from 0 to 1", show_default=False
    ),
    sample: int = typer.Option(
        None, help="Only so many tasks, chosen at random but always the same"
    ),
    dry_run: bool = typer.Option(
        False,
        "--dry-run",
        help="Write nothing: predict a few of the tasks, and tell how many there are, how long"
        " they take and how large the output is",
    ),
    embeddings: bool = typer.Option(
        False,
        "--embeddings",
        help="Write nothing: embed the images for models that answer clicks, so that the first"
        " click on each is quick",
    ),
    engine: Engine = typer.Option(
        Engine.local, help="local: this process; ray: many processes and machines (extra ray)"
    ),
    actors: int = typer.Option(
        None, min=1, help="ray: processes that each load the models (default: as many as fit)"
    ),
    gpus_per_actor: float = typer.Option(
        0.0, min=0, help="ray: GPUs of each, such as 1 or 0.5", show_default=False
    ),
    ray_address: str = typer.Option(
        None,
        envvar="RAY_ADDRESS",
        help="ray: a cluster, such as 10.0.0.5:6379 or auto (default: one is started here)",
        show_default=False,
    ),
) -> None:
    """Predict many tasks, into a file for import or a project.

    With --engine ray, OUTPUT may also be a folder, for parts of JSON Lines.

    The exit status is 1 if tasks failed; they are listed beside the output, in
    OUTPUT.failures.jsonl.
    """
    from shared.cli.predict_output import open_output

    options = Options(
        inputs or [],
        label_config,
        Path(),
        list(dict.fromkeys(backend or [])),
        resume,
        push,
        project,
        url_prefix,
        only,
        replace,
        min_score,
        sample,
        dry_run,
        RayOptions(actors, gpus_per_actor, ray_address) if engine is Engine.ray else None,
        embeddings=embeddings,
    )
    _check(options, has_output=bool(output))
    name = output or f"project-{project}.json"
    with open_output(name, options) as path:
        failed = _run(replace_fields(options, output=path, output_name=name))
    if failed:
        raise typer.Exit(1)


def _check(options: Options, has_output: bool) -> None:
    """Raise BadParameter for arguments that do not go together."""
    if not options.inputs and options.project is None:
        raise typer.BadParameter("nothing to predict: specify an INPUT, or --project")
    if options.label_config is None and options.project is None:
        raise typer.BadParameter("--label-config is missing")
    if options.push and options.project is None:
        raise typer.BadParameter("--push needs --project")
    if not (has_output or options.push or options.dry_run or options.embeddings):
        raise typer.BadParameter("no output: specify -o OUTPUT, or --push")
    if not 0 <= options.min_score <= 1:
        score = options.min_score
        raise typer.BadParameter(f"--min-score should be from 0 to 1, and is {score:g}")
    if options.sample is not None and options.sample < 1:
        raise typer.BadParameter(f"--sample should be 1 or more, and is {options.sample}")
    if options.only is Only.failed and options.inputs and options.push:
        raise typer.BadParameter("--only failed --push needs no INPUT: its tasks are in --project")
    _check_engine(options)


def _check_engine(options: Options) -> None:
    if options.ray is None:
        return
    if options.embeddings:
        raise typer.BadParameter("--engine ray predicts: --embeddings is for the local engine")
    if options.project is not None:
        raise typer.BadParameter("--engine ray predicts files and folders, not --project")


def _run(options: Options) -> bool:
    """Predict and report; return whether tasks failed."""
    from shared.bulk.ray_engine.run_folder import is_run_finished
    from shared.cli.embed_ahead import embed_images
    from shared.cli.failure_list import list_failures
    from shared.label_studio.import_file import is_finished
    from shared.pipeline.runtime import reset_runtime
    from shared.server import logs

    logs.configure_logging("WARNING")
    for name in SILENCED_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if options.resume and (is_finished if options.ray is None else is_run_finished)(options.output):
        typer.echo(f"{options.output_name} is finished already")
        return list_failures(options.output, options.output_name)
    try:
        if options.embeddings:
            return embed_images(options)
        if options.dry_run:
            return _estimate(options)
        if options.ray is None:
            _predict(options)
        else:
            predict_on_ray(options, options.ray)
    except KeyboardInterrupt:
        typer.echo("Interrupted; continue with --resume", err=True)
        raise typer.Exit(130) from None
    except OSError as error:  # such as a full disk
        why = error.strerror or error
        raise SettingError(f"{options.output_name}: {why}; continue with --resume") from None
    finally:
        reset_runtime()
    return list_failures(options.output, options.output_name)


def _predict(options: Options) -> None:
    from shared.bulk.local_engine import BulkPrediction
    from shared.cli.progress import Meter, format_count, format_duration, format_rate
    from shared.label_studio.import_file import ImportFile
    from shared.label_studio.import_filter import describe_left_out
    from shared.pipeline.runtime import runtime

    run = open_run(options)
    digest = hashlib.sha256(run.config.xml.encode()).hexdigest()[:12]
    head = {"label_config": digest, "model_versions": run.versions}
    with ImportFile(options.output, head, options.resume) as file:
        done_before = file.done
        if done_before:
            typer.echo(f"{format_count(done_before)} done already", err=True)
        sent = _create_upload(options, run.project, file)
        with Meter(run.source, "predict") as meter:
            job = BulkPrediction(
                runtime().pipeline,
                run.source,
                run.plans,
                file,
                sent,
                options.replace,
                run.earlier,
                meter.report_done,
            )
            job.run()
        done, seconds = file.done - done_before, meter.seconds
    rate = done / max(seconds, 1e-3)
    tasks = format_count(done)
    typer.echo(
        f"{options.output_name}: {tasks} in {format_duration(seconds)},"
        f" {format_rate(rate)} per second"
    )
    for line in describe_left_out(job.left_out):
        typer.echo(f"{options.output_name}: {line}", err=True)


def _estimate(options: Options) -> bool:
    """Tell what the run would be; return whether a task that was tried failed."""
    from shared.bulk.estimate import estimate_run
    from shared.cli.progress import format_bytes, format_count, format_duration
    from shared.label_studio.task_sources import usable_entry
    from shared.pipeline.runtime import runtime

    run = open_run(options)
    entries = map(usable_entry, run.source)
    found = estimate_run(runtime().pipeline, entries, run.plans)
    typer.echo(f"{format_count(found.tasks)} to predict as {', '.join(run.versions)}")
    if found.unreadable:
        typer.echo(f"{found.unreadable:,} more cannot be read as tasks")
    if found.tasks:
        is_long, size = found.seconds >= 1, format_bytes(found.output_bytes)
        duration = f"about {format_duration(found.seconds)}" if is_long else "less than 1 s"
        typer.echo(f"{duration}, {size} of output, by {found.tried:,} of them")
    for message, count in Counter(found.failures).most_common(MAX_LISTED_REASONS):
        typer.echo(f"{count:,} of these failed: {message}", err=True)
    return bool(found.failures or found.unreadable)


def _create_upload(
    options: Options, project: "Project | None", file: "ImportFile"
) -> "Upload | None":
    from shared.label_studio.upload import Upload

    if project is None or not options.push:
        return None
    return Upload(project, file, new=bool(options.inputs))
