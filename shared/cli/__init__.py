"""The command `prelabel`."""

import importlib
import sys
from collections.abc import Sequence

import typer

import shared
from shared import __version__
from shared.cli.official_variables import adopt_official_variables
from shared.errors import PrelabelError

COMMANDS = (
    "serve",
    "demo.command",
    "predict",
    "work",
    "evaluate",
    "next",
    "train",
    "models",
    "export",
    "dataset",
    "pages",
    "prompt",
    "validate",
    "show",
    "gallery",
    "doctor",
    "scaffold.command",
    "expected",
    "jobs",
    "worker",
)

app = typer.Typer(
    name="prelabel",
    help="Predictions for Label Studio: boxes, masks, tracks, entities, classes, transcripts and"
    " more, by models for images, videos, texts, sound and time series, and by language models.",
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich takes 0.2 s to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
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
    shared.is_own_program = True
    for name in _modules_of(sys.argv[1:]):  # each module registers its command
        importlib.import_module(f"shared.cli.{name}")

    help_only = {"-h", "--help"}.intersection(sys.argv)
    try:
        app(obj=[] if help_only else adopt_official_variables())
    except PrelabelError as error:
        typer.secho(f"prelabel: {error}", fg="red", err=True)
        sys.exit(2)


def _modules_of(arguments: Sequence[str]) -> Sequence[str]:
    """Return the module of the command that is called; those of all for help and for mistakes."""
    called = arguments[0] if arguments else ""
    command = {"new": "scaffold.command", "demo": "demo.command"}.get(called, called)
    return (command,) if command in COMMANDS else COMMANDS
