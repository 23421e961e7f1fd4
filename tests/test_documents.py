"""README and CONTRIBUTING do what they say: their blocks are executed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from shared.backend.registry import find_backends
from shared.label_studio.label_config import LabelConfig
from shared.settings import BackendSettings, Settings, variables

from .contributing import python

REPO = Path(__file__).parents[1]
DOCUMENTS = [REPO / "README.md", REPO / "CONTRIBUTING.md", *REPO.glob("backends/*/README.md")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(document.read_text()) if kind == language]


@pytest.mark.parametrize("code", blocks(REPO / "README.md", "python"))
def test_python_of_the_readme(code: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr


def test_file_commands_of_the_readme(tmp_path: Path) -> None:
    [block] = [b for b in blocks(REPO / "README.md", "sh") if "prelabel predict" in b]
    shutil.copy(REPO / "backends" / "pattern" / "tasks.json", tmp_path / "tasks.json")
    shutil.copy(REPO / "backends" / "pattern" / "label_config.xml", tmp_path / "config.xml")
    for line in block.splitlines():
        command = line.replace(".venv/bin/prelabel", f"{sys.executable} -m shared.cli").split()
        run = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPO)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    assert "3 May 2024" in (tmp_path / "predicted.json").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(REPO)))
def test_commands_exist(document: Path) -> None:
    makefile = (REPO / "Makefile").read_text()
    text = document.read_text()
    for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)", "\n".join(blocks(document, "sh"))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for target in re.findall(r"`(?:\w+=\w+ )*make ([a-z0-9-]+)`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for command in set(re.findall(r"\bprelabel (serve|demo|predict|validate|new|doctor)\b", text)):
        run = subprocess.run(
            [sys.executable, "-m", "shared.cli", command, "--help"], capture_output=True, timeout=60
        )
        assert run.returncode == 0, f"prelabel {command}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(REPO)))
def test_packages_are_installed_by_the_uv_that_is_there(document: Path) -> None:
    """`make install` leaves it in `.venv/bin`; a plain pip would bring what uv's overrides undo."""
    here, _, elsewhere = document.read_text().partition("\n## In a project of your own\n")
    assert not re.findall(r"(?<!\.venv/bin/uv )pip install -e", here + elsewhere)
    assert not re.findall(r"(?<!uv )pip install \S*prelabel", here + elsewhere)
    assert "prelabel[" not in here, "no registry has it"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(REPO)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_every_closed_door_has_its_test() -> None:
    section = (REPO / "README.md").read_text().partition("\n## Closed doors\n")[2]
    rows = re.findall(r"^\| (?!tried|---).*\|$", section.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        found = re.search(r"`(tests/[\w/]+\.py)::(test_\w+)` \|$", row)
        assert found is not None, row
        assert re.search(rf"^def {found[2]}\(", (REPO / found[1]).read_text(), re.MULTILINE), row


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(REPO)))
def test_label_configs_can_be_read(document: Path) -> None:
    for xml in blocks(document, "xml"):
        assert LabelConfig.parse(xml).controls


def table_rows(settings: type[BaseSettings]) -> list[str]:
    return [
        f"| `{name}` | {f'`{default}`' if default else ''} | {text}"
        for name, default, text in variables(settings)
    ]


def test_every_setting_of_the_server_is_in_the_readme() -> None:
    text = (REPO / "README.md").read_text()
    assert [row for row in table_rows(Settings) if row not in text] == []


@pytest.mark.parametrize("name", sorted(find_backends()))
def test_every_setting_of_a_backend_is_in_its_readme(name: str) -> None:
    settings = find_backends()[name].settings_class
    if settings is BackendSettings:
        return
    text = (REPO / "backends" / name / "README.md").read_text()
    assert [row for row in table_rows(settings) if row not in text] == []


@pytest.mark.slow
def test_contributing_makes_a_backend_that_conforms(guide: Path) -> None:
    """What it says, done; then ruff, mypy and the conformance tests, which find the folder."""
    for words in (
        ["ruff", "check", "backends"],
        ["ruff", "format", "--check", "backends"],
        ["mypy", "-p", "backends.mood"],
    ):
        python(guide, "-m", *words)
    tests = ["tests/test_conformance.py", "tests/test_structure.py", "-k", "Mood or mood"]
    said = python(guide, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "7 passed" in said
