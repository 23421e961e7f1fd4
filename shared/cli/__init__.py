"""The command `prelabel`."""

import importlib
import sys

import typer

from shared import __version__
from shared.errors import PrelabelError

COMMANDS = (
    "serve",
    "demo.command",
    "predict",
    "pages",
    "validate",
    "doctor.command",
    "scaffold.command",
    "expected",
)

app = typer.Typer(
    name="prelabel",
    help="Predictions for Label Studio: detection, NER and OCR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Show the version.")) -> None:
    if version:
        typer.echo(f"prelabel {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; an error of ours is one line, not a traceback."""
    for name in COMMANDS:  # each module adds its command
        importlib.import_module(f"shared.cli.{name}")

    try:
        app()
    except PrelabelError as error:
        typer.secho(f"prelabel: {error}", fg="red", err=True)
        sys.exit(2)
