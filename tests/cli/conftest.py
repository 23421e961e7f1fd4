"""Runs the command: in this process, which is quick, or in one of its own, as users do."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.cli import main
from shared.cli.predict import SILENCED_LOGGERS

REPO = Path(__file__).parents[2]
TEXT_CONFIG = REPO / "backends" / "pattern" / "label_config.xml"


@dataclass(frozen=True)
class Ran:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def prelabel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run `prelabel ARGUMENTS` in this process, in the test's own folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> Ran:
        monkeypatch.setattr(sys, "argv", ["prelabel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        status = ended.value.code
        return Ran(status if isinstance(status, int) else 0, out, err)

    yield run
    for name in (*SILENCED_LOGGERS, "shared", "backends"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def start(folder: Path, *arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
    """Start `prelabel ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "shared.cli", *map(str, arguments)]
    env = os.environ | {"PYTHONPATH": str(REPO)}
    return subprocess.Popen(command, cwd=folder, env=env, **options)
