"""`make install` takes the extras of every backend, or those that are named."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.cli.scaffold.create import PROJECT

ROOT = Path(__file__).parents[1]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder in which everything seems to be installed, by `EXTRAS=ocr make install`."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    uv = tmp_path / ".venv" / "bin" / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    make(tmp_path, "install", EXTRAS="ocr")
    return tmp_path


def would_run(folder: Path, target: str, **variables: str) -> str:
    """What make would do there."""
    return make(folder, "--dry-run", target, **variables)


def make(folder: Path, *words: str, **variables: str) -> str:
    """What make says that it does."""
    kept = {key: value for key, value in os.environ.items() if key not in {"EXTRAS", "MAKEFLAGS"}}
    command = ["make", "--no-print-directory", *words]
    ran = subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=True
    )
    return " ".join(ran.stdout.replace("\\\n", " ").split())


@pytest.mark.parametrize("target", ["install", "test", "check", "serve", "demo"])
def test_all_extras_where_none_is_named(target: str, made: Path) -> None:
    (made / ".venv" / "installed").unlink()
    said = would_run(made, target)
    assert "--constraints requirements.lock --requirements pyproject.toml --all-extras" in said
    assert "echo all >.venv/installed" in said


def offer(folder: Path, extra: str) -> None:
    """As `prelabel new` does for a backend that needs a package."""
    project, heading = folder / "pyproject.toml", "[project.optional-dependencies]\n"
    text = project.read_text().replace(heading, f'{heading}{extra} = ["scikit-learn"]\n')
    project.write_text(text)
    os.utime(folder / ".venv" / "installed", (0, 0))


@pytest.mark.parametrize("target", ["install", "test", "check", "serve", "demo"])
def test_extras_of_the_last_time_and_a_new_one(target: str, made: Path) -> None:
    make(made, "install", EXTRAS="ner,dev")
    os.utime(made / ".venv" / "installed", (0, 0))  # pyproject.toml has changed, but in no extra
    assert '--editable ".[label-studio-ml,ner,dev]"' in would_run(made, target)
    offer(made, "first")
    make(made, "install")
    assert "uv pip install --python .venv" not in would_run(made, "install")
    offer(made, "second")
    assert '--editable ".[label-studio-ml,ner,dev,first,second]"' in would_run(made, target)


def test_all_extras_have_a_new_one_among_them(made: Path) -> None:
    make(made, "install", EXTRAS="all")
    offer(made, "first")
    assert "--requirements pyproject.toml --all-extras" in would_run(made, "install")


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
    texts = [(ROOT / "pyproject.toml").read_text()]
    texts.append((PROJECT / "pyproject.toml.template").read_text())
    [ours, theirs] = [text.partition("\noverride-dependencies = [\n")[2] for text in texts]
    assert "flask" in ours.partition("]\n")[0]
    assert ours.partition("]\n")[0] == theirs.partition("]\n")[0]
