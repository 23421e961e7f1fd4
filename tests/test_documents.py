"""README and CONTRIBUTING do what they say: their blocks are executed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from shared.label_config import LabelConfig
from shared.routing import find_backends
from shared.settings import BackendSettings, Settings, variables

REPO = Path(__file__).parents[1]
DOCUMENTS = [REPO / "README.md", REPO / "CONTRIBUTING.md", *REPO.glob("backends/*/README.md")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^`(backends/[\w/.]+)`[^\n]*\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)


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
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


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


def test_contributing_makes_a_backend_that_conforms(tmp_path: Path) -> None:
    """Each block with a path above it becomes that file; the conformance tests find the folder."""
    for name in ("backends/__init__.py", "backends/pattern"):
        source, target = REPO / name, tmp_path / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        target.parent.mkdir(exist_ok=True)
        copy(source, target)
    made = FILE.findall((REPO / "CONTRIBUTING.md").read_text())
    assert len(made) == 6
    for name, text in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "test_mood.py").write_text(
        "from backends.mood import MoodBackend\nfrom shared.testing import Conformance\n\n\n"
        "class TestMood(Conformance):\n    backend = MoodBackend\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mood.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{REPO}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "5 passed" in run.stdout
