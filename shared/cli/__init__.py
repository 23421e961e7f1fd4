"""The command `prelabel`."""

import importlib
import sys
from collections.abc import Sequence

import typer
from typer.core import TyperGroup

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

HELP_OPTIONS = ("-h", "--help")

app = typer.Typer(
    name="prelabel",
    help="Predictions for Label Studio: boxes, masks, tracks, entities, classes, transcripts and"
    " more, by models for images, videos, texts, sound and time series, and by language models.",
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich takes 0.2 s to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_OPTIONS), "max_content_width": 120},
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
    words = sys.argv[1:]
    for name in _modules_of(words):  # each module registers its command
        importlib.import_module(f"shared.cli.{name}")
    if (text := _help_of(words)) is not None:
        typer.echo(text)
        sys.exit()

    # Settings take a quarter of a second to import: `validate` reads them for its editor only.
    needs_settings = words[:1] != ["validate"] and not set(HELP_OPTIONS).intersection(words)
    try:
        app(obj=adopt_official_variables() if needs_settings else [])
    except PrelabelError as error:
        typer.secho(f"prelabel: {error}", fg="red", err=True)
        sys.exit(2)


def _modules_of(arguments: Sequence[str]) -> Sequence[str]:
    """Return the module of the command that is called; those of all for help and for mistakes."""
    called = arguments[0] if arguments else ""
    command = {"new": "scaffold.command", "demo": "demo.command"}.get(called, called)
    return (command,) if command in COMMANDS else COMMANDS


def _help_of(words: Sequence[str]) -> str | None:
    """Return the help of a command, where the words are its name and the option for help.

    Typer would come to the same text, but import pydantic before, to validate the option.
    """
    if not words or words[-1] not in HELP_OPTIONS:
        return None
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=app.info.name, **command.context_settings)
    for word in words[:-1]:
        inner = command.get_command(context, word) if isinstance(command, TyperGroup) else None
        if inner is None:
            return None
        command = inner
        context = typer.Context(command, parent=context, info_name=word, **command.context_settings)
    return command.get_help(context)
