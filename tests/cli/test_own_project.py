"""What `prelabel new --into` makes, installed for real beside the wheel of prelabel alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import REPO

UV = Path(sys.executable).with_name("uv")
# A small package without dependencies, which nothing else requires.
LIBRARY = "humanize"
# `make` has all bytecode compiled, which takes longer than what is imported here.
NOT_INHERITED = {"PYTHONPATH", "VIRTUAL_ENV", "UV_COMPILE_BYTECODE"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*arguments: str | Path, folder: Path) -> str:
    """What a command says that knows nothing of the environment that runs these tests."""
    env = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    env["PATH"] = f"{folder.parent / 'bin'}:/usr/bin:/bin"
    ran = subprocess.run(
        [str(word) for word in arguments], cwd=folder, env=env, capture_output=True, text=True
    )
    assert ran.returncode == 0, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside uv and an environment that has prelabel by its wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "bin").mkdir()
    (folder / "bin" / "uv").symlink_to(UV)
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "shared", "backends"):
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy
        copy(REPO / name, source / name)
    run(UV, "build", "--wheel", "--out-dir", folder / "dist", folder=source)
    [wheel] = (folder / "dist").glob("prelabel-*.whl")
    project = folder / "work"
    project.mkdir()
    run(UV, "venv", "--python", sys.executable, project / ".venv", folder=project)
    run(
        UV,
        "pip",
        "install",
        "--python",
        project / ".venv" / "bin" / "python",
        wheel,
        folder=project,
    )
    return project


def installed(work: Path) -> dict[str, str]:
    listed = run(UV, "pip", "list", "--format", "json", "--python", work / ".venv", folder=work)
    return {one["name"]: one["version"] for one in json.loads(listed.partition("\n")[0])}


def test_printed_commands_install_test_and_find_it(work: Path) -> None:
    packages = installed(work)
    assert not {"flask", "attr", "label-studio-ml", LIBRARY, "pytest"} & set(packages)
    arguments = ["--control", "Choices", "--object", "Text", "--requires", LIBRARY]
    output = run(
        work / ".venv/bin/prelabel", "new", "mood", *arguments, "--into", "mine", folder=work
    )
    lines = output.partition("Next:\n")[2].splitlines()
    commands = [line.strip() for line in lines if line.startswith("  ")]
    assert [re.split(r"[ /]", line)[0] for line in commands[:1]] == ["cd"]
    serve = commands.pop()
    assert serve.endswith("/prelabel serve mood")
    script = " && ".join(commands)
    assert "uv pip install --python" in script
    assert "5 passed" in run("sh", "-c", script, folder=work)
    now = installed(work)
    assert {LIBRARY, "pytest", "mood"} <= set(now)
    assert {name: now[name] for name in packages} == packages, "nothing else has changed"
    files = ["mine/mood/tasks.json", "--label-config", "mine/mood/label_config.xml"]
    program = serve.split()[0]
    run(program, "predict", *files, "--backend", "mood", "-o", "out.json", folder=work)
    assert json.loads((work / "out.json").read_text())[0]["predictions"][0]["result"]


def test_what_the_stand_in_needs_is_said(work: Path) -> None:
    """A video is read by PyAV, which is no part of prelabel without an extra."""
    arguments = ["clips", "--control", "VideoRectangle", "--object", "Video", "--into", "films"]
    ran = subprocess.run(
        [work / ".venv/bin/prelabel", "new", *arguments], cwd=work, capture_output=True
    )
    assert ran.returncode == 2
    assert b'needs av>=14, which is not installed: uv pip install "av>=14"\n' in ran.stderr
    assert not list((work / "films").iterdir())


def test_label_studio_ml_can_be_added_there(work: Path) -> None:
    """In the folder whose pyproject.toml has the overrides."""
    arguments = ["--control", "Labels", "--object", "Text", "--into", "theirs"]
    run(work / ".venv/bin/prelabel", "new", "tone", *arguments, folder=work)
    extra = ["--dry-run", "--python", work / ".venv", "prelabel[label-studio-ml,ocr]"]
    output = run(UV, "pip", "install", *extra, folder=work / "theirs")
    added = dict(re.findall(r"^ \+ ([\w-]+)==(\S+)$", output, re.MULTILINE))
    assert added["label-studio-ml"] == "1.0.9"
    assert int(added["flask"].partition(".")[0]) >= 3
    assert "rapidocr" in added
    assert not {"attr", "opencv-python"} & set(added)
    assert " - " not in output, "nothing is replaced"
