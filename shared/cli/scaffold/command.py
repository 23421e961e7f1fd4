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
    control: str = typer.Option(None, help="The control tag that it fills, e.g. Choices"),
    object: str = typer.Option(None, help="The object tag that it reads, e.g. Text"),  # noqa: A002
    requires: list[str] = typer.Option(
        None, help="A package that it needs, e.g. scikit-learn; may be repeated"
    ),
    into: Path = typer.Option(
        None, help="Folder of a project of your own (else backends/ of this repository)"
    ),
) -> None:
    """Make a backend with a stand-in for its model, an example and tests that pass."""
    given = {"NAME": name, "--control": control, "--object": object}
    missing = [option for option, value in given.items() if value is None]
    if missing:
        _possible()
        raise SettingError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    _check_pair(control, object)
    from shared.backend.installation import checkout
    from shared.cli.scaffold.create import by_itself, check_name, in_repository
    from shared.cli.scaffold.files import class_name
    from shared.cli.scaffold.tag_pairs import PAIRS

    check_name(name)
    packages = [*PAIRS[control, object][1].requires, *(requires or ())]
    repository = checkout()
    known = None
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        known = next(into.resolve().glob("pyproject.toml"), None)
        folder = by_itself(name, control, object, packages, into.resolve())
    elif repository is not None:
        folder = in_repository(name, control, object, packages, repository)
    else:
        raise SettingError("prelabel is installed without its repository: say --into FOLDER")
    _warn(name, class_name(name), packages, known)
    _say(folder, name, into, packages)


def _check_pair(control: str, target: str) -> None:
    """SettingError with what is possible, if that is not."""
    from shared.cli.scaffold.tag_pairs import PAIRS

    if (control, target) in PAIRS:
        return
    controls = sorted({pair[0] for pair in PAIRS})
    targets = sorted({pair[1] for pair in PAIRS})
    for tag, known, kind in ((control, controls, "control"), (target, targets, "object")):
        if tag not in known:
            by_case = {name.lower(): name for name in known}
            close = difflib.get_close_matches(tag.lower(), by_case, 1)
            hint = f'; did you mean "{by_case[close[0]]}"?' if close else "."
            raise SettingError(f'No {kind} tag "{tag}"{hint} There are: {", ".join(known)}')
    on = ", ".join(other for tag, other in PAIRS if tag == control)
    raise SettingError(f"No builder makes {control} on {target}; {control} goes on {on}")


def _possible() -> None:
    """All pairs of tags, an object tag a line."""
    from shared.cli.scaffold.tag_pairs import PAIRS

    typer.echo("prelabel new NAME --control TAG --object TAG, with one of these pairs:\n")
    for target in dict.fromkeys(target for _, target in PAIRS):
        controls = ", ".join(control for control, other in PAIRS if other == target)
        typer.echo(f"--object {target}\n  --control {controls}")


def _say(folder: Path, name: str, into: Path | None, requires: list[str]) -> None:
    from shared.backend.installation import install_extra, install_project, program

    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.suffix != ".pyc")
    typer.echo(f"{folder}: {', '.join(files)}\n")
    root = folder.parent.parent if into is None else folder.parent
    if into is None:
        lines = [f"cd {shlex.quote(str(root))}", "make test"]
        lines[1:1] = [install_extra(name)] if requires else []
    else:
        lines = [*install_project(root), f"{program('python', root)} -m pytest"]
    lines.append(f"{program('prelabel', root)} serve {name}")
    typer.echo("\n  ".join(["Next:", *lines]))
    typer.echo(f"Then put your model into {folder.name}/model.py")


def _warn(name: str, class_name: str, requires: list[str], project: Path | None) -> None:
    """What the author has to see to: a file that was there already, a module's name."""
    from shared.cli.scaffold.create import is_known, module_of

    if project is not None:
        needs = ", ".join(["prelabel", *requires])
        typer.echo(
            f"{project} was there already, and is as it was. It needs the package {name} among"
            f" those that it builds, {needs} among its dependencies, and\n"
            f'  [project.entry-points."prelabel.backends"]\n  {name} = "{name}:{class_name}"\n'
        )
    for requirement in requires:
        module = module_of(requirement)
        if not is_known(module):
            typer.echo(
                f'"{requirement}" is not installed yet: `modules` in backend.py takes it that it is'
                f" imported as {module}. Change that if it has another name\n"
            )
