"""`prelabel new`: a backend's folder, whose tests pass at once."""

import difflib
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
    if name is None or control is None or object is None:
        _possible()
        raise typer.Exit(2)
    _check_pair(control, object)
    from shared.seeds.pairs import PAIRS
    from shared.seeds.planting import by_itself, check_name, checkout, in_repository

    check_name(name)
    packages = [*PAIRS[control, object][1].requires, *(requires or ())]
    repository = checkout()
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        folder = by_itself(name, control, object, packages, into.resolve())
    elif repository is not None:
        folder = in_repository(name, control, object, packages, repository)
    else:
        raise SettingError("prelabel is installed without its repository: say --into FOLDER")
    _say(folder, name, into, packages)


def _check_pair(control: str, target: str) -> None:
    """SettingError with what is possible, if that is not."""
    from shared.seeds.pairs import PAIRS

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
    from shared.seeds.pairs import PAIRS

    typer.echo("prelabel new NAME --control TAG --object TAG, with one of these pairs:\n")
    for target in dict.fromkeys(target for _, target in PAIRS):
        controls = ", ".join(control for control, other in PAIRS if other == target)
        typer.echo(f"--object {target}\n  --control {controls}")


def _say(folder: Path, name: str, into: Path | None, requires: list[str]) -> None:
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.suffix != ".pyc")
    typer.echo(f"{folder}: {', '.join(files)}\n")
    if into is None:
        extra = f"  uv pip install -e '.[{name}]'" if requires else ""
        typer.echo(f"Next:{extra}\n  make test\n  prelabel serve {name}")
    else:
        typer.echo(
            f"Next, in {into}:\n  pip install -e .     (pyproject.toml must have the entry point"
            f" {name} under prelabel.backends)\n  pytest\n  prelabel serve {name}"
        )
    typer.echo(f"Then put your model into {folder.name}/model.py")
