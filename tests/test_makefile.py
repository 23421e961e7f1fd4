"""`make install` takes the extras of every backend, or those that are named."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.seeds.planting import OVERRIDES

ROOT = Path(__file__).parents[1]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder in which everything seems to be installed, by `EXTRAS=ocr make install`."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "uv").touch()
    (tmp_path / ".venv" / "installed").write_text("ocr\n")
    return tmp_path


def would_run(folder: Path, target: str, **variables: str) -> str:
    """What make would do there."""
    kept = {key: value for key, value in os.environ.items() if key not in {"EXTRAS", "MAKEFLAGS"}}
    command = ["make", "--dry-run", "--no-print-directory", target]
    ran = subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=True
    )
    return " ".join(ran.stdout.replace("\\\n", " ").split())


@pytest.mark.parametrize("target", ["install", "test", "check", "serve", "demo"])
def test_all_extras_where_none_is_named(target: str, made: Path) -> None:
    os.utime(made / ".venv" / "installed", (0, 0))  # as after `prelabel new`, which adds an extra
    said = would_run(made, target)
    assert "--constraints requirements.lock --requirements pyproject.toml --all-extras" in said
    assert "echo all >.venv/installed" in said


def test_extras_that_are_named(made: Path) -> None:
    os.utime(made / ".venv" / "installed", (0, 0))
    said = would_run(made, "install", EXTRAS="ner,dev")
    assert '--editable ".[label-studio-ml,ner,dev]"' in said


def test_other_extras_than_before_are_installed_too(made: Path) -> None:
    assert "uv pip install" not in would_run(made, "install")
    assert "uv pip install" not in would_run(made, "install", EXTRAS="ocr")
    assert '--editable ".[label-studio-ml,ner]"' in would_run(made, "install", EXTRAS="ner")
    assert "--all-extras" in would_run(made, "install", EXTRAS="all")


def test_a_project_of_its_own_has_the_same_overrides() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = text.partition("\noverride-dependencies = [\n")[2].partition("]\n")[0]
    assert [line.strip(' ,"') for line in listed.splitlines()] == list(OVERRIDES)
