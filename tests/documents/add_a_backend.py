"""docs/add-a-backend.md, followed step by step in a small copy of the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from shared.testing import find_differences

from . import REPO

GUIDE = REPO / "docs" / "add-a-backend.md"
STEP = re.compile(
    r"^`(?P<file>backends/[\w/.]+)`[^\n]*\n\n```\w+\n(?P<text>.*?)^```"
    r"|^```sh\n(?P<lines>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
# The guide ends here; the sections below it are executed by tests of their own.
END = "\n## In a project of your own\n"
COPIED = (
    *("backends/__init__.py", "backends/pattern", "pyproject.toml"),
    *("tests/__init__.py", "tests/test_conformance.py", "tests/test_structure.py"),
)
COMMANDS = {
    ".venv/bin/prelabel": "-m shared.cli",
}


def follow_guide(folder: Path) -> None:
    """Run the commands and write the files of the guide, in their order, except the server."""
    copy_repository(folder)
    expected = folder / "backends" / "mood" / "expected.json"
    for step in STEP.finditer(GUIDE.read_text().partition(END)[0]):
        if step["file"] == "backends/mood/expected.json":
            assert (
                find_differences(json.loads(expected.read_text()), json.loads(step["text"])) == []
            )
        elif step["file"]:
            (folder / step["file"]).write_text(step["text"])
        elif "serve" not in step["lines"]:
            for line in step["lines"].splitlines():
                for written, executed in COMMANDS.items():
                    line = line.replace(written, executed)
                run_python(folder, *line.replace(".venv/bin/python ", "").split())


def copy_repository(folder: Path) -> None:
    """Copy this repository with the backend `pattern` alone."""
    for name in COPIED:
        source, target = REPO / name, folder / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (folder / "shared").symlink_to(REPO / "shared")


def guide_environment(folder: Path, more: str = "") -> dict[str, str]:
    """Return an environment in which the folder's backends hide this repository's."""
    path = os.pathsep.join(filter(None, (str(folder), more, str(REPO))))
    return os.environ | {"PYTHONPATH": path, "MYPYPATH": str(folder)}


def run_python(folder: Path, *words: str, more: str = "") -> str:
    """Run `python WORDS` in the folder and return its output."""
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=guide_environment(folder, more),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
