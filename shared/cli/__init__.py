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
    "evaluate",
    "next",
    "train",
    "models",
    "dataset",
    "pages",
    "validate",
    "show",
    "doctor.command",
    "scaffold.command",
    "expected",
    "jobs",
    "worker",
)

app = typer.Typer(
    name="prelabel",
    help="Predictions for Label Studio, by detection, NER, OCR and text classification models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _print_version(
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        typer.echo(f"prelabel {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; our own errors are printed as one line, without a traceback."""
    for name in COMMANDS:  # each module registers its command
        importlib.import_module(f"shared.cli.{name}")

    try:
        app()
    except PrelabelError as error:
        typer.secho(f"prelabel: {error}", fg="red", err=True)
        sys.exit(2)
