"""Runs `prelabel evaluate` in this process, with access to a Label Studio."""

import importlib

from click.testing import Result
from typer.testing import CliRunner

from shared.cli import app
from shared.errors import PrelabelError
from shared.settings import changed_environment
from tests.e2e.label_studio import LabelStudio


def run_evaluate(server: LabelStudio, *words: str) -> Result:
    """Return what the command printed; our own errors end as they do in the terminal."""
    importlib.import_module("shared.cli.evaluate")
    access = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    with changed_environment(access):
        result = CliRunner().invoke(app, ["evaluate", *words])
    if isinstance(result.exception, PrelabelError):
        result.stderr_bytes = f"prelabel: {result.exception}".encode()
        result.exit_code = 2
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
