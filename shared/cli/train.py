"""`prelabel train`: trains a project's models from its annotations, as "Start Training" does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.annotated_input import INPUT_HELP, LABEL_CONFIG_HELP, PROJECT_HELP

if TYPE_CHECKING:
    from shared.jobs.job import Job
    from shared.settings import Settings
    from shared.training.source import TrainingSource

SERVING = "serving"
# What the name of a repository on Hugging Face cannot have.
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

    inputs: tuple[str, ...]
    label_config: Path | None
    project: int | None
    key: str | None
    controls: tuple[str, ...]
    epochs: int
    repo: str | None
    backends: tuple[str, ...] = ()


@app.command()
def train(
    inputs: list[str] = typer.Argument(None, metavar="INPUT", help=INPUT_HELP),
    project: int = typer.Option(None, help=PROJECT_HELP),
    label_config: Path = typer.Option(None, help=LABEL_CONFIG_HELP, exists=True, dir_okay=False),
    key: str = typer.Option(
        None,
        help="With INPUT: the project that the models are for, as ID.TIME or any name (default:"
        " that of --project, or the file's name)",
    ),
    control: list[str] = typer.Option(
        None, help="A control tag to train; may be repeated (default: all that can be)"
    ),
    backend: list[str] = typer.Option(
        None,
        help="The backend that trains, such as prompt; may be repeated (default: for each control"
        " tag the one that fills it)",
    ),
    epochs: int = typer.Option(
        0, min=0, help="Epochs at most (default: the backend's)", show_default=False
    ),
    follow: bool = typer.Option(
        False, "--follow", "-f", help="Show the progress, and what came of it"
    ),
    push_to_hub: str = typer.Option(
        None,
        metavar="OWNER/NAME",
        help="Wait, and upload what serves to Hugging Face, private unless it exists (token:"
        " HF_TOKEN)",
    ),
) -> None:
    """Train the models of a project from its annotations, in a process of its own.

    The new model serves if it is better on held-out tasks than the one that serves; otherwise it
    is kept as a candidate, see `prelabel models`. The backends of BACKENDS (default:
    all) are trained; each needs the model that it would serve with.

    With --follow the exit status is 1 if nothing was trained.
    """
    options = Options(
        tuple(inputs or ()),
        label_config,
        project,
        key,
        tuple(control or ()),
        epochs,
        push_to_hub,
        tuple(backend or ()),
    )
    _check_options(options)
    from shared.settings import Settings, read_settings

    settings = read_settings(Settings)
    if push_to_hub is not None:
        from shared.training.push_to_hub import check_token

        check_token(push_to_hub)
    job = _start(options, settings)
    if follow or push_to_hub is not None:
        _follow(job, options, settings)
    else:
        typer.echo(f"job {job.id} ({job.state.value}): prelabel jobs {job.id} --follow shows it")


def _check_options(options: Options) -> None:
    if not options.inputs and options.project is None:
        raise typer.BadParameter("nothing to train from: specify an INPUT, or --project")
    if options.inputs and options.project is None and options.label_config is None:
        raise typer.BadParameter("--label-config is missing")
    if not options.inputs and (options.key is not None or options.label_config is not None):
        raise typer.BadParameter("--key and --label-config belong to an INPUT")


def _start(options: Options, settings: "Settings") -> "Job":
    from shared.training.source import TrainingSource
    from shared.training.start import start_training

    if options.project is not None:
        key, xml = _read_project(options.project, settings)
    else:
        key, xml = Path(options.inputs[0]).stem, ""
    if options.inputs:
        source = _file_source(options, xml)
    else:
        source = TrainingSource.of_project(options.project or 0)
    job = start_training(
        settings,
        source,
        options.key or key,
        options.controls,
        max_epochs=options.epochs,
        backends=options.backends,
    )
    typer.echo(f'trains models of project "{job.key}"', err=True)
    return job


def _read_project(number: int, settings: "Settings") -> tuple[str, str]:
    """Return the key of a project, and its label config."""
    from shared.label_studio.project import Project

    project = Project(number, settings)
    try:
        return project.key, project.label_config
    finally:
        project.close()


def _file_source(options: Options, xml: str) -> "TrainingSource":
    """Return the source that is the files; `xml` is the label config of the project."""
    from shared.training.source import TrainingSource

    if options.label_config is not None:
        return TrainingSource.of_files(options.inputs, options.label_config)
    return TrainingSource.of_files(options.inputs, xml)


def _follow(job: "Job", options: Options, settings: "Settings") -> None:
    """Wait for the end, show it, and upload what serves; the exit status is 1 if it failed."""
    from shared.cli.jobs import follow_job

    ended = follow_job(settings, job.id)
    outcomes: list[Mapping[str, Any]] = list((ended.result or {}).get("controls", ()))
    if not any(one.get("version") for one in outcomes):
        raise typer.Exit(1)
    _print_outcomes(ended, outcomes, settings)
    if options.repo is not None:
        _push(ended.key, outcomes, options.repo, settings)


def _print_outcomes(job: "Job", outcomes: list[Mapping[str, Any]], settings: "Settings") -> None:
    """Print the figures of what was trained, why the rest was not, and how it is served."""
    from shared.cli.tables import create_console
    from shared.cli.version_table import print_versions
    from shared.errors import escape_control
    from shared.label_studio.project_key import is_project_key
    from shared.training.version_list import list_entries
    from shared.training.version_store import VersionStore

    made = {(one["control"], one["version"]) for one in outcomes if one.get("version")}
    entries = list_entries(VersionStore(settings.train_dir), job.key)
    new = [one for one in entries if (one.version.control, one.version.name) in made]
    print_versions(job.key, new, create_console())
    for one in outcomes:
        notes = [f"not trained: {one.get('reason', '')}"] if not one.get("version") else []
        for note in (*notes, *one.get("notes", ())):
            typer.echo(escape_control(f"{one['control']}: {note}"))
    for problem in (job.result or {}).get("problems", ()):
        typer.echo(f"prelabel: {escape_control(str(problem))}", err=True)
    if not is_project_key(job.key):
        typer.echo(
            f'"{job.key}" is no project of a Label Studio: to be served to one, models are trained'
            " with --project N, or with its --key ID.TIME (see docs/training.md)"
        )


def _push(key: str, outcomes: list[Mapping[str, Any]], repo: str, settings: "Settings") -> None:
    """Upload each version that serves now; of several control tags, to a repository each."""
    from shared.training.push_to_hub import push_version
    from shared.training.version_store import VersionStore

    store = VersionStore(settings.train_dir)
    made = [one for one in outcomes if one.get("version")]
    for one in made:
        control, name = one["control"], one["version"]
        if one.get("state") != SERVING:
            typer.echo(f"{control}: {name} does not serve: prelabel models push uploads it anyway")
            continue
        target = repo if len(made) == 1 else f"{repo}-{_UNNAMEABLE.sub('-', control)}"
        typer.echo(f"{control}: {push_version(store.find(key, control, name), target)}")
