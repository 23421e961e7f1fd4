"""`make install` installs the extras that are named, or those of the last time, or all."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.cli.scaffold.create import PROJECT

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder in which `EXTRAS=ocr make install` seems to have run."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    uv = tmp_path / ".venv" / "bin" / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    make(tmp_path, "install", EXTRAS="ocr")
    return tmp_path


def dry_run(folder: Path, target: str, **variables: str) -> str:
    """Return what make would run there."""
    return make(folder, "--dry-run", target, **variables)


def make(folder: Path, *words: str, **variables: str) -> str:
    """Run make there and return its output."""
    inherited = {
        key: value for key, value in os.environ.items() if key not in {"EXTRAS", "MAKEFLAGS"}
    }
    command = ["make", "--no-print-directory", *words]
    ran = subprocess.run(
        command, cwd=folder, env=inherited | variables, capture_output=True, text=True, check=True
    )
    return " ".join(ran.stdout.replace("\\\n", " ").split())


@pytest.mark.parametrize("target", ["install", "test", "check", "docs", "serve", "demo"])
def test_all_extras_where_none_is_named(target: str, checkout: Path) -> None:
    (checkout / ".venv" / "installed").unlink()
    output = dry_run(checkout, target)
    assert "--constraints requirements.lock --requirements pyproject.toml --all-extras" in output
    assert "echo all >.venv/installed" in output


def add_extra(folder: Path, extra: str) -> None:
    """Add an extra to pyproject.toml, as `prelabel new` does for a backend that needs a package."""
    project, heading = folder / "pyproject.toml", "[project.optional-dependencies]\n"
    text = project.read_text().replace(heading, f'{heading}{extra} = ["scikit-learn"]\n')
    project.write_text(text)
    os.utime(folder / ".venv" / "installed", (0, 0))


@pytest.mark.parametrize("target", ["install", "test", "check", "serve", "demo"])
def test_extras_of_the_last_time_and_a_new_one(target: str, checkout: Path) -> None:
    make(checkout, "install", EXTRAS="ner,dev")
    os.utime(
        checkout / ".venv" / "installed", (0, 0)
    )  # pyproject.toml has changed, but in no extra
    assert '--editable ".[label-studio-ml,ner,dev]"' in dry_run(checkout, target)
    add_extra(checkout, "first")
    make(checkout, "install")
    assert "uv pip install --python .venv" not in dry_run(checkout, "install")
    add_extra(checkout, "second")
    assert '--editable ".[label-studio-ml,ner,dev,first,second]"' in dry_run(checkout, target)


def test_all_extras_have_a_new_one_among_them(checkout: Path) -> None:
    make(checkout, "install", EXTRAS="all")
    add_extra(checkout, "first")
    assert "--requirements pyproject.toml --all-extras" in dry_run(checkout, "install")


def test_extras_that_are_named(checkout: Path) -> None:
    os.utime(checkout / ".venv" / "installed", (0, 0))
    output = dry_run(checkout, "install", EXTRAS="ner,dev")
    assert '--editable ".[label-studio-ml,ner,dev]"' in output


def test_other_extras_than_before_are_installed_too(checkout: Path) -> None:
    assert "uv pip install" not in dry_run(checkout, "install")
    assert "uv pip install" not in dry_run(checkout, "install", EXTRAS="ocr")
    assert '--editable ".[label-studio-ml,ner]"' in dry_run(checkout, "install", EXTRAS="ner")
    assert "--all-extras" in dry_run(checkout, "install", EXTRAS="all")


def test_a_project_of_its_own_has_the_same_overrides() -> None:
    texts = [(ROOT / "pyproject.toml").read_text()]
    texts.append((PROJECT / "pyproject.toml.template").read_text())
    [ours, theirs] = [text.partition("\noverride-dependencies = [\n")[2] for text in texts]
    assert "flask" in ours.partition("]\n")[0]
    assert ours.partition("]\n")[0] == theirs.partition("]\n")[0]
