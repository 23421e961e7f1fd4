"""`prelabel models`: the trained versions of a project, and which of them serve."""

import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.training.version_list import VersionEntry
    from shared.training.version_store import TrainedVersion, VersionStore

models = typer.Typer(invoke_without_command=True)
app.add_typer(models, name="models")

PROJECT = typer.Option(..., help="A project's ID, its whole key (ID.TIME), or --key of `train`")
CONTROL = typer.Option(None, help="The name of the control tag, if several have versions")
# How soon a running server looks again which versions serve.
SWAP_SECONDS = 10


class Format(str, Enum):
    """How the list is written."""

    table = "table"
    json = "json"


@dataclass(frozen=True)
class ProjectVersions:
    """The versions of a project."""

    store: "VersionStore"
    project: str

    def control(self, wanted: str | None) -> str:
        """Return the control tag that is meant; SettingError names those that there are."""
        names = list(dict.fromkeys(one.control for one in self.store.list_versions(self.project)))
        if wanted is None and len(names) == 1:
            return names[0]
        shown = ", ".join(names)
        if wanted is None:
            raise SettingError(f"project {self.project} has versions of {shown}: say --control")
        if wanted not in names:
            raise SettingError(
                f'project {self.project} has no versions of "{wanted}"; it has of {shown}'
            )
        return wanted

    def version(self, control: str | None, name: str | None) -> "TrainedVersion":
        """Return a version by its name or number, by default the newest of the control tag."""
        tag = self.control(control)
        versions = [one for one in self.store.list_versions(self.project) if one.control == tag]
        if name is None:
            return versions[-1]
        by_number = [one for one in versions if one.name.partition("-")[0] == name]
        return by_number[0] if by_number else self.store.find(self.project, tag, name)


@models.callback()
def list_models(
    context: typer.Context,
    project: str = typer.Option(None, help="A project's ID, or its whole key (default: all)"),
    format: Format = typer.Option(Format.table, help="table, or json"),  # noqa: A002
) -> None:
    """List what was trained for a project, how good it is, and which versions serve.

    Figures are those on the held-out tasks, beside the model that served then.
    """
    if context.invoked_subcommand is not None:
        if project is not None:
            raise typer.BadParameter(f"--project belongs after {context.invoked_subcommand}")
        return
    from shared.training.version_list import list_entries

    store = _open_store()
    projects = [_find(project).project] if project is not None else store.list_projects()
    if not projects:
        raise SettingError(f"{_train_dir()} has no trained versions: train with `prelabel train`")
    found = {key: list_entries(store, key) for key in projects}
    if format is Format.json:
        _write_json({key: [entry.to_json() for entry in found[key]] for key in found})
        return
    for key, entries in found.items():
        _print_project(key, entries)


@models.command()
def promote(
    version: str = typer.Argument(None, help="Its name or number, v3 (default: the newest)"),
    project: str = PROJECT,
    control: str = CONTROL,
) -> None:
    """Let a version serve, whatever its figures are."""
    from shared.training.version_store import WEIGHTS_FOLDER

    versions = _find(project)
    chosen = versions.version(control, version)
    if not (chosen.folder / WEIGHTS_FOLDER).is_dir():
        raise SettingError(f"{chosen.name} of {chosen.control} has no weights any more")
    versions.store.promote(chosen)
    typer.echo(f"{chosen.control}: {chosen.name} serves, {_within()}")


@models.command()
def rollback(project: str = PROJECT, control: str = CONTROL) -> None:
    """Let the version serve again that served before, or the model without training."""
    versions = _find(project)
    tag = versions.control(control)
    name = versions.store.roll_back(versions.project, tag)
    what = f"{name} serves again" if name else "the model without training serves again"
    typer.echo(f"{tag}: {what}, {_within()}")


@models.command()
def push(
    repo: str = typer.Argument(help="OWNER/NAME on Hugging Face; created if it does not exist"),
    version: str = typer.Argument(None, help="Its name or number, v3 (default: the newest)"),
    project: str = PROJECT,
    control: str = CONTROL,
    public: bool = typer.Option(False, "--public", help="Let all see it, if it is created now"),
) -> None:
    """Upload a version to Hugging Face, with its model card (token: HF_TOKEN)."""
    from shared.training.push_to_hub import push_version

    chosen = _find(project).version(control, version)
    typer.echo(f"{push_version(chosen, repo, not public)}: {chosen.control} {chosen.name}")


def _find(project: str) -> ProjectVersions:
    """Return the versions of a project; SettingError names the projects that have some."""
    from shared.label_studio.project_key import match_project

    store = _open_store()
    keys = store.list_projects()
    if not keys:
        raise SettingError(f"{_train_dir()} has no trained versions: train with `prelabel train`")
    return ProjectVersions(store, match_project(keys, project))


def _open_store() -> "VersionStore":
    from shared.settings import Settings, read_settings
    from shared.training.version_store import VersionStore

    return VersionStore(read_settings(Settings).train_dir)


def _train_dir() -> str:
    from shared.settings import Settings, read_settings

    return f"TRAIN_DIR ({read_settings(Settings).train_dir})"


def _within() -> str:
    return f"in running servers within {SWAP_SECONDS} s"


def _write_json(content: Any) -> None:
    from shared.label_studio.json_stream import dump_line

    sys.stdout.buffer.write(dump_line(content))
    sys.stdout.buffer.flush()


def _print_project(key: str, entries: "list[VersionEntry]") -> None:
    from shared.cli.tables import create_console
    from shared.cli.version_table import print_versions

    print_versions(key, entries, create_console())
