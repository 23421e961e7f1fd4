"""The rules of the house that a machine can hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
MODEL_LIBRARIES = {
    "torch",
    "torchvision",
    "ultralytics",
    "transformers",
    "rapidocr",
    "openvino",
    "onnxruntime",
    "nncf",
    "huggingface_hub",
}
SHARED = sorted((REPO / "shared").rglob("*.py"))
BACKENDS = sorted(folder for folder in (REPO / "backends").iterdir() if folder.is_dir())
COMMON = [folder for folder in BACKENDS if folder.name.startswith("_")]  # what several lean on
BACKENDS = [folder for folder in BACKENDS if folder not in COMMON]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("file", SHARED, ids=lambda f: str(f.relative_to(REPO)))
def test_shared_knows_no_model_library_and_no_backend(file: Path) -> None:
    roots = {name.split(".")[0] for name in imports(file)}
    assert not roots & (MODEL_LIBRARIES | {"backends"})


@pytest.mark.parametrize("folder", BACKENDS, ids=lambda f: f.name)
def test_backend_knows_no_other_backend(folder: Path) -> None:
    for file in folder.rglob("*.py"):
        for name in imports(file):
            if name.startswith("backends."):
                other = name.split(".")[1]
                assert other == folder.name or other.startswith("_"), f"{file} imports {name}"


def test_what_backends_lean_on_knows_none_of_them() -> None:
    for folder in COMMON:
        for file in folder.rglob("*.py"):
            for name in imports(file):
                assert not name.startswith("backends.") or name.startswith("backends._"), file


@pytest.mark.parametrize("folder", BACKENDS, ids=lambda f: f.name)
def test_backend_folder_is_complete(folder: Path) -> None:
    names = {file.name for file in folder.iterdir()}
    wanted = {"__init__.py", "backend.py", "label_config.xml", "tasks.json", "expected.json"}
    assert wanted | {"README.md"} <= names


def test_environment_is_read_in_one_module() -> None:
    pattern = re.compile(r"os\.environ|os\.getenv")
    readers = {
        str(file.relative_to(REPO))
        for file in [*SHARED, *(REPO / "backends").rglob("*.py")]
        if "starter" not in file.parts  # scripts that made the weights; nothing served
        and pattern.search(file.read_text(encoding="utf-8"))
    }
    assert readers <= {"shared/settings.py"}


def test_xml_attributes_are_read_in_one_place() -> None:
    # elsewhere `frameRate` would be found, but `framerate` would not
    readers = [
        (str(file.relative_to(REPO)), node.lineno)
        for file in [*SHARED, *(REPO / "backends").rglob("*.py")]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "attrib"
    ]
    assert [name for name, _ in readers] == ["shared/label_studio/label_config_xml.py"], readers


def test_the_seed_of_a_fork_is_small() -> None:
    lines = (REPO / "backends" / "pattern" / "backend.py").read_text().splitlines()
    assert len(lines) <= 30


def test_no_registry_is_named() -> None:
    """Where packages and images come from is for who installs them to say."""
    hosts = ("pypi", "pythonhosted", "download.pytorch", "registry.npmjs", "ghcr", "quay", "gcr")
    named = re.compile(rf"\b({'|'.join(map(re.escape, hosts))})\.(org|com|io)\b|\bdocker\.io\b")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True)
    files = [REPO / name for name in listed.stdout.decode().split("\0") if name]
    texts = {file: file.read_bytes().decode(errors="ignore") for file in files if file.is_file()}
    assert [str(file) for file, text in texts.items() if named.search(text)] == []
