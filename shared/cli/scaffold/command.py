"""`prelabel new`: a backend's folder, whose tests pass at once."""

import difflib
import shlex
from pathlib import Path

import typer

from shared.cli import app
from shared.errors import SettingError


@app.command()
def new(
    name: str = typer.Argument(None, help="The new backend's name, e.g. mood", show_default=False),
    control: str = typer.Option(None, help="The control tag to fill, e.g. Choices"),
    object: str = typer.Option(None, help="The object tag to read, e.g. Text"),  # noqa: A002
    requires: list[str] = typer.Option(
        None, help="A package that the model needs, e.g. scikit-learn; may be repeated"
    ),
    trainable: bool = typer.Option(
        False,
        "--trainable",
        help="Let it learn from annotations, by a stand-in that trains: for Choices on texts and"
        " images",
    ),
    into: Path = typer.Option(
        None, help="Folder of a project of your own (default: backends/ of this repository)"
    ),
) -> None:
    """Make a backend with a stand-in for its model, an example and tests that pass."""
    arguments = {"NAME": name, "--control": control, "--object": object}
    missing = [option for option, value in arguments.items() if value is None]
    if missing:
        _print_pairs(trainable)
        verb = "is" if len(missing) == 1 else "are"
        raise SettingError(f"{' and '.join(missing)} {verb} missing")
    _check_pair(control, object)
    if trainable:
        _check_trainable(control, object)
    from shared.backend.installation import checkout_folder
    from shared.cli.scaffold.create import (
        WantedBackend,
        check_name,
        create_in_repository,
        create_standalone,
    )
    from shared.cli.scaffold.tag_pairs import PAIRS

    check_name(name)
    packages = [*PAIRS[control, object].requires, *(requires or ())]
    wanted = WantedBackend(name, control, object, tuple(packages), trainable)
    repository = checkout_folder()
    project = None
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        project = next(into.resolve().glob("pyproject.toml"), None)
        folder = create_standalone(wanted, into.resolve())
    elif repository is not None:
        folder = create_in_repository(wanted, repository)
    else:
        raise SettingError("prelabel is installed without its repository: say --into FOLDER")
    if project is not None:
        _print_project_entries(project, name, packages)
    _warn_of_modules(packages)
    _print_next_steps(folder, name, into, packages)


def _check_pair(control: str, target: str) -> None:
    """Raise SettingError that names what is possible, if this pair is not."""
    from shared.cli.scaffold.tag_pairs import PAIRS

    if (control, target) in PAIRS:
        return
    controls = sorted({pair[0] for pair in PAIRS})
    targets = sorted({pair[1] for pair in PAIRS})
    for tag, known, kind in ((control, controls, "control"), (target, targets, "object")):
        if tag not in known:
            by_lower_case = {name.lower(): name for name in known}
            close = difflib.get_close_matches(tag.lower(), by_lower_case, 1)
            hint = f'; did you mean "{by_lower_case[close[0]]}"?' if close else "."
            raise SettingError(f'No {kind} tag "{tag}"{hint} There are: {", ".join(known)}')
    possible = ", ".join(other for tag, other in PAIRS if tag == control)
    raise SettingError(f"No builder makes {control} on {target}; {control} goes on {possible}")


def _check_trainable(control: str, target: str) -> None:
    """Raise SettingError that names what is possible, if no stand-in learns this pair."""
    from shared.cli.scaffold.tag_pairs import TRAINABLE

    if (control, target) not in TRAINABLE:
        possible = ", ".join(f"{tag} on {other}" for tag, other in TRAINABLE)
        raise SettingError(
            f"--trainable has no stand-in for {control} on {target}; it has those for {possible}."
            " Without it, add `dataset_format` and `train` by hand, see docs/add-a-backend.md"
        )


def _print_pairs(trainable: bool) -> None:
    """Print all pairs of tags, or those whose stand-in can learn, an object tag a line."""
    from shared.cli.scaffold.tag_pairs import PAIRS, TRAINABLE

    pairs, option = (TRAINABLE, " --trainable") if trainable else (PAIRS, "")
    typer.echo(f"prelabel new NAME --control TAG --object TAG{option}, with one of these pairs:\n")
    for target in dict.fromkeys(target for _, target in pairs):
        controls = ", ".join(control for control, other in pairs if other == target)
        typer.echo(f"--object {target}\n  --control {controls}")


def _print_project_entries(project: Path, name: str, requires: list[str]) -> None:
    """Print what the author has to add to a pyproject.toml that was there already."""
    from shared.cli.scaffold.files import class_name

    packages = ", ".join(["prelabel", *requires])
    typer.echo(
        f"{project} was there already and is unchanged. Add the package {name} to those that it"
        f" builds, {packages} to its dependencies, and\n"
        f'  [project.entry-points."prelabel.backends"]\n  {name} = "{name}:{class_name(name)}"\n'
    )


def _warn_of_modules(requires: list[str]) -> None:
    """Print which packages are not installed, so that their modules' names are guesses."""
    from shared.cli.scaffold.requirements import import_name, is_known_module

    for requirement in requires:
        module = import_name(requirement)
        if not is_known_module(module):
            typer.echo(
                f'"{requirement}" is not installed yet: `modules` in backend.py assumes that it is'
                f" imported as {module}. Change that if it has another name\n"
            )


def _print_next_steps(folder: Path, name: str, into: Path | None, requires: list[str]) -> None:
    from shared.backend.installation import extra_command, program_path, project_commands

    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.suffix != ".pyc")
    typer.echo(f"{folder}: {', '.join(files)}\n")
    root = folder.parent.parent if into is None else folder.parent
    if into is None:
        lines = [f"cd {shlex.quote(str(root))}", "make test"]
        lines[1:1] = [extra_command(name)] if requires else []
    else:
        lines = [*project_commands(root), f"{program_path('python', root)} -m pytest"]
    lines.append(f"{program_path('prelabel', root)} serve {name}")
    typer.echo("\n  ".join(["Next:", *lines]))
    typer.echo(f"Then put your model into {folder.relative_to(root)}/model.py")
