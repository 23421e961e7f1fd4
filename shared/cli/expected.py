"""`prelabel expected`: predict the examples of backends again and write what comes out."""

import typer

from shared.cli import app
from shared.errors import SettingError


@app.command()
def expected(
    names: list[str] = typer.Argument(
        None, metavar="BACKEND", help="Backends whose examples to predict (default: all)"
    ),
) -> None:
    """Predict each backend's example and write its expected.json: look at it before committing."""
    from shared.backend.registry import choose_backends, split_available
    from shared.testing import write_expected

    classes, problems = split_available(choose_backends(names or []))
    if names and problems:
        raise SettingError("; ".join(problems.values()))
    for backend in classes:
        write_expected(backend)
        typer.echo(f"{backend.name}: expected.json is written")
