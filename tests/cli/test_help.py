"""`prelabel --help` comes at once: no command module imports what only its command needs."""

import importlib
import subprocess
import sys

import pytest

from shared import cli

from .conftest import REPO

COMMANDS = ("serve", "demo", "predict", "pages", "validate", "doctor", "new", "expected")
HEAVY = (
    *("numpy", "PIL", "httpx", "pydantic", "cv2", "rich"),
    *("starlette", "gunicorn", "label_studio_sdk"),
)
HELP = f"""
import sys
from shared.cli import main
try: main()
finally: print([name for name in {HEAVY} if name in sys.modules])
"""


def help_of(*words: str) -> list[str]:
    """The lines that a command's help has, where it imports nothing heavy."""
    ran = subprocess.run(
        [sys.executable, "-c", HELP, *words], cwd=REPO, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    *shown, imported = ran.stdout.splitlines()
    assert imported == "[]"
    return shown


def test_help_imports_nothing_heavy() -> None:
    shown = help_of("--help")
    assert all(any(f" {name} " in line for line in shown) for name in COMMANDS)


def test_help_of_a_command_imports_nothing_heavy() -> None:
    assert help_of("validate", "-h")[0].startswith("Usage: prelabel validate [OPTIONS] ")
    assert help_of("models", "--help")[0].startswith("Usage: prelabel models ")


@pytest.mark.parametrize("words", [[], ["validate"], ["models"], ["models", "rollback"]])
def test_help_is_what_typer_shows(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        importlib.import_module(f"shared.cli.{name}")
    with pytest.raises(SystemExit):
        cli.app([*words, "--help"], prog_name="prelabel")
    assert cli._help_of([*words, "--help"]) == capsys.readouterr().out.removesuffix("\n")


@pytest.mark.parametrize("words", [["--help", "validate"], ["no-such", "--help"], ["models"], []])
def test_other_words_are_left_to_typer(words: list[str]) -> None:
    assert cli._help_of(words) is None


def test_default_that_pages_names_is_the_documents() -> None:
    from shared.media.document import DEFAULT_DPI

    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "pages", "--help"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"(default: {DEFAULT_DPI})" in " ".join(ran.stdout.replace("│", " ").split())
