"""`prelabel new`: for every pair of tags a backend whose tests pass, here and elsewhere."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from shared.backend.base import Backend
from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.cli.scaffold.create import create_backend, import_backend
from shared.cli.scaffold.files import Scaffold
from shared.cli.scaffold.requirements import import_name
from shared.cli.scaffold.tag_pairs import PAIRS, TRAINABLE
from shared.errors import InferenceError
from shared.pipeline.runtime import runtime
from shared.results.validation.control_values import VALUE_CHECKS
from shared.results.validation.image_shapes import SHAPE_CHECKS
from shared.results.validation.spans import SPAN_CHECKS
from shared.server.app import create_app
from shared.server.third_party_service import open_model
from shared.settings import Settings
from shared.testing import Conformance, example_environment, predict_example, write_expected

from ..documents.add_a_backend import copy_repository, guide_environment, run_python
from .conftest import REPO, Command

CreatedBackends = dict[tuple[str, str], type[Backend]]
# Other names of a brush and of Audio.
ALIASES = {"magicwand", "AudioPlus"}


def backend_name(pair: tuple[str, str]) -> str:
    return f"new_{pair[0]}_{pair[1]}".lower()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def created(root: Path) -> Iterator[CreatedBackends]:
    """A backend for every pair, each a package of its own below `root`."""
    made = {}
    for control, target in PAIRS:
        name = backend_name((control, target))
        scaffold = Scaffold(name, control, target, name)
        create_backend(scaffold, root)
        made[control, target] = import_backend(scaffold, root)
    yield made
    sys.path.remove(str(root))


def test_pairs_are_all_that_the_builders_make() -> None:
    controls = {control.lower() for control, _ in PAIRS}
    drawn = {shape for shape in SHAPE_CHECKS if shape not in ALIASES}
    assert controls >= drawn | {f"{shape}labels" for shape in drawn} | set(VALUE_CHECKS)
    assert {target for _, target in PAIRS} >= {tag for tag in SPAN_CHECKS if tag not in ALIASES}
    assert {"labels", "timeserieslabels", "videorectangle", "timelinelabels"} <= controls


@pytest.mark.parametrize("pair", PAIRS, ids=backend_name)
def test_new_backend_conforms(pair: tuple[str, str], created: CreatedBackends) -> None:
    backend = created[pair]
    tests = type("Tests", (Conformance,), {"backend": backend})()
    names = [name for name in dir(tests) if name.startswith("test_")]
    assert len(names) == 5
    for name in names:
        getattr(tests, name)()


@pytest.mark.parametrize("pair", PAIRS, ids=backend_name)
def test_its_example_shows_something(pair: tuple[str, str], created: CreatedBackends) -> None:
    expected = Example.load(created[pair]).expected
    assert expected
    assert expected[0]["result"]
    with example_environment(created[pair]):
        predict_example(created[pair])
        assert runtime().failures.counts() == {}


@pytest.mark.slow
def test_new_code_is_in_style_and_typed(created: CreatedBackends, root: Path) -> None:
    shutil.copy(REPO / "pyproject.toml", root)
    run = [sys.executable, "-m"]
    for arguments in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict", "--config-file", "pyproject.toml", *sorted(os.listdir(root))[:-1]],
    ):
        checked = subprocess.run(
            [*run, *arguments],
            cwd=root,
            env=os.environ | {"MYPYPATH": f"{root}:{REPO}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


# The command, in a copy of the repository and elsewhere


@pytest.mark.slow
def test_in_the_repository(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    arguments = ["--control", "Choices", "--object", "Text", "--requires", "scikit-learn>=1.5"]
    message = run_python(tmp_path, "-m", "shared.cli", "new", "mood", *arguments)
    assert "prelabel serve mood" in message
    project = (tmp_path / "pyproject.toml").read_text()
    assert 'mood = ["scikit-learn>=1.5"]\n' in project
    assert 'modules = ("sklearn",)' in (tmp_path / "backends" / "mood" / "backend.py").read_text()
    run_python(tmp_path, "-m", "ruff", "format", "--check", "backends")
    run_python(tmp_path, "-m", "ruff", "check", "backends")
    tests = ["tests/test_conformance.py", "tests/test_structure.py", "-k", "Mood or mood"]
    passed = run_python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "7 passed" in passed


@pytest.mark.slow
def test_what_it_requires_need_not_be_installed_yet(tmp_path: Path) -> None:
    """It seldom is: it is the new model's library."""
    copy_repository(tmp_path)
    marked = 'no-such-thing>=1; python_version < "4"'
    arguments = ["--control", "Choices", "--object", "Text", "--requires", marked]
    message = run_python(tmp_path, "-m", "shared.cli", "new", "mood", *arguments)
    assert "assumes that it is imported as no_such_thing" in message
    project = (tmp_path / "pyproject.toml").read_text()
    assert 'mood = ["no-such-thing>=1; python_version < \\"4\\""]\n' in project
    example = json.loads((tmp_path / "backends" / "mood" / "expected.json").read_text())
    assert len(example) == 2
    assert example[0]["result"]
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "expected", "mood"],
        cwd=tmp_path,
        env=guide_environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("prelabel: mood needs no_such_thing: install the extra, e.g. ")


def test_example_that_cannot_be_predicted_is_said(created: CreatedBackends, root: Path) -> None:
    backend = created["Choices", "Text"]
    tasks = root / backend.name / "tasks.json"
    before = tasks.read_text()
    tasks.write_text('[{"id": 1, "data": {}}]')
    try:
        with pytest.raises(InferenceError, match=r": no prediction of task 1: .*text"):
            write_expected(backend)
    finally:
        tasks.write_text(before)


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a standalone project, whose imports are forgotten after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / "own"


@pytest.mark.slow
def test_in_a_project_of_its_own(project_folder: Path, prelabel: Command) -> None:
    for name, control, target in (
        ("spots", "RectangleLabels", "Image"),
        ("tones", "Labels", "Audio"),
    ):
        arguments = ["--control", control, "--object", target, "--into", project_folder]
        ran = prelabel("new", name, *arguments)
        assert ran.status == 0, ran.err
    test = (project_folder / "tests" / "test_spots.py").read_text()
    assert test.splitlines()[-2:] == [
        "class TestSpotsBackend(Conformance):",
        "    backend = SpotsBackend",
    ]
    assert "10 passed" in run_python(project_folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.slow
def test_a_project_that_is_installed_is_found(project_folder: Path, prelabel: Command) -> None:
    prelabel("new", "finder", "--control", "Labels", "--object", "Text", "--into", project_folder)
    project = (project_folder / "pyproject.toml").read_text()
    [line] = [line for line in project.splitlines() if "FinderBackend" in line]
    installed = project_folder.parent / "site" / "finder-0.1.0.dist-info"  # as pip leaves it
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: finder\nVersion: 0.1.0\n")
    points = f"[prelabel.backends]\n{line.replace(chr(34), '')}\n"
    (installed / "entry_points.txt").write_text(points)
    files = ["finder/tasks.json", "--label-config", "finder/label_config.xml", "-o", "out.json"]
    more = str(installed.parent)
    run_python(
        project_folder, "-m", "shared.cli", "predict", *files, "--backend", "finder", more=more
    )
    [first, _] = json.loads((project_folder / "out.json").read_text())
    [prediction] = first["predictions"]
    assert [r["value"]["text"] for r in prediction["result"]] == ["extraordinary", "neighbourhood"]


def test_it_is_served_by_its_path(created: CreatedBackends, root: Path) -> None:
    backend = created["Labels", "Text"]
    service = open_model(f"{root / backend.name / 'backend.py'}:{backend.__name__}")
    example = Example.load(backend)
    with TestClient(create_app(service, Settings())) as client:
        answer = client.post("/predict", json=example.predict_request())
    [first, _] = answer.json()["results"]
    assert len(first["result"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pattern", "--control", "Labels", "--object", "Text"], 'There is a backend "pattern"'),
        (["predict", "--control", "Labels", "--object", "Text"], "the server has /predict already"),
        (["My-Model", "--control", "Labels", "--object", "Text"], "small letters, digits and"),
        (["class", "--control", "Labels", "--object", "Text"], "cannot be a backend's name"),
        (["a", "--control", "Label", "--object", "Text"], 'did you mean "Labels"?'),
        (
            ["a", "--control", "Labels", "--object", "Sound"],
            'No object tag "Sound". There are: Audio, HyperText, Image',
        ),
        (
            ["a", "--control", "Labels", "--object", "Text", "--requires", "-e ."],
            '"-e ." names no package; expected e.g. scikit-learn',
        ),
        (
            ["dev", "--control", "Labels", "--object", "Text", "--requires", "spacy"],
            'pyproject.toml has an extra "dev" already',
        ),
        (["a", "--control", "Labels", "--object", "Image"], "Labels goes on Text, Audio"),
        (["json", "--control", "Labels", "--object", "Text", "--into", "x"], "installed already"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_refusals(arguments: list[str], message: str, prelabel: Command, tmp_path: Path) -> None:
    before = sorted(find_backends())
    ran = prelabel("new", *arguments)
    assert ran.status == 2
    assert message in ran.err
    assert sorted(find_backends()) == before
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nothing_is_overwritten(prelabel: Command, tmp_path: Path) -> None:
    arguments = ["--control", "Labels", "--object", "Text", "--into", "x"]
    (tmp_path / "x" / "kept_words").mkdir(parents=True)
    (tmp_path / "x" / "kept_words" / "mine.txt").write_text("mine")
    ran = prelabel("new", "kept_words", *arguments)
    assert ran.status == 2
    assert "exists already; nothing was changed" in ran.err
    assert [path.name for path in tmp_path.rglob("*.*")] == ["mine.txt"]


def test_without_tags_it_lists_what_is_possible(prelabel: Command) -> None:
    ran = prelabel("new", "mood")
    assert ran.status == 2
    assert ran.err == "prelabel: --control and --object are missing\n"
    listed = ran.out.split("\n--object ")[1:]
    assert sum(len(line.split(", ")) for line in listed) == len(PAIRS)


def test_it_lists_what_can_learn(prelabel: Command) -> None:
    ran = prelabel("new", "mood", "--trainable")
    assert ran.status == 2
    listed = [line.split()[-1] for line in ran.out.splitlines() if line.startswith("--object ")]
    assert [("Choices", target) for target in listed] == TRAINABLE
    assert "RectangleLabels" not in ran.out


def test_one_option_that_is_missing_is_named(prelabel: Command) -> None:
    assert prelabel("new", "mood", "--object", "Text").err == "prelabel: --control is missing\n"
    message = prelabel("new", "--control", "Choices").err
    assert message == "prelabel: NAME and --object are missing\n"


@pytest.mark.parametrize(
    ("requirement", "module"),
    [
        ("scikit-learn", "sklearn"),
        ("Pillow>=10", "PIL"),
        ("not-there[x]>=1", "not_there"),
        ("scikit-image", "skimage"),
        ("Not.There @ git+https://example.org/it.git", "not_there"),
    ],
)
def test_module_of_a_requirement(requirement: str, module: str) -> None:
    assert import_name(requirement) == module
