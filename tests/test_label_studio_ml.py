"""The same backend classes under label-studio-ml's own servers, old and new."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.pattern import PatternBackend
from shared.backend.example import Example
from shared.backend.label_studio_ml import SmallBase
from shared.backend.registry import find_backends
from shared.errors import SettingError
from shared.testing import example_environment, find_differences

REPO = Path(__file__).parents[1]
SDK_PARSER = "label_studio_sdk._extensions.label_studio_tools.core.label_config"

NEW_GENERATION = """
import json, sys
from shared.backend.example import Example
from shared.testing import example_environment
from backends.pattern import PatternBackend

example = Example.load(PatternBackend)
model = PatternBackend(project_id="7", label_config=example.label_config)
answers = model.predict(example.tasks, context=None, login=None, password=None)
interactive = model.predict(example.tasks[:1], context={"result": [{"id": "a"}]})
print(json.dumps([model.get("model_version"), answers, interactive]))
"""


@pytest.fixture
def old_server(tmp_path: Path) -> Any:
    from label_studio_ml.api import init_app

    def start(backend: type[Any]) -> Any:
        return init_app(model_class=backend, model_dir=str(tmp_path)).test_client()

    return start


@pytest.mark.parametrize("name", ["pattern", "detection", "ner", "ocr"])
def test_server_of_1_0_9_predicts(name: str, old_server: Any) -> None:
    backend = find_backends()[name]
    example = Example.load(backend)
    with example_environment(backend):
        client = old_server(backend)
        assert client.get("/health").json["status"] == "UP"
        setup = client.post("/setup", json={"project": f"{name}.1", "schema": example.label_config})
        assert isinstance(setup.json["model_version"], str)
        request = example.predict_request() | {"project": f"{name}.1"}
        answers = client.post("/predict", json=request).json["results"]
    assert example.expected is not None
    assert len(answers) == len(example.tasks)
    for answer, expected in zip(answers, example.expected, strict=True):
        assert len(answer["result"]) == len(expected["result"])
        assert "model_version" not in answer, "its own /setup says the version"


def test_server_of_1_0_9_gets_an_empty_answer_for_a_broken_task(old_server: Any) -> None:
    example = Example.load(PatternBackend)
    client = old_server(PatternBackend)
    client.post("/setup", json={"project": "b.1", "schema": example.label_config})
    request = example.predict_request() | {"tasks": [{"id": 1, "data": {}}, *example.tasks]}
    results = client.post("/predict", json=request).json["results"]
    assert results[0] == []
    assert len(results) == 1 + len(example.tasks)


def test_base_class_of_2_x() -> None:
    """A stand-in has its constructor, its `predict(tasks, context)` and its version by cache."""
    run = subprocess.run(
        [sys.executable, "-c", NEW_GENERATION],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{REPO / 'tests' / 'standin'}:{REPO}", "PATH": "/usr/bin:/bin"},
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    version, answers, interactive = json.loads(run.stdout.splitlines()[-1])
    assert version.startswith("pattern-")
    assert {answer["model_version"] for answer in answers} == {version}
    assert answers[0]["result"]
    assert [answer["result"] for answer in interactive] == [[]]


WITHOUT = """
import json, sys
sys.modules["label_studio_ml"] = None
from backends.pattern import PatternBackend
from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.backend.example import Example

example = Example.load(PatternBackend)
model = PatternBackend(label_config=example.label_config)
answers = model.predict(example.tasks)
print(json.dumps([LabelStudioMLBase.__name__, answers, model.parsed_label_config]))
"""


def test_without_label_studio_ml_backends_run_all_the_same() -> None:
    """It is an extra: a plain `pip install` would bring the Flask of 2019 that it pins."""
    from label_studio_ml.model import parse_config

    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=REPO, timeout=120
    )
    assert run.returncode == 0, run.stderr
    base, answers, parsed = json.loads(run.stdout.splitlines()[-1])
    example = Example.load(PatternBackend)
    assert base == "SmallBase"
    assert find_differences(answers, example.expected) == []
    [(name, entry)] = parse_config(example.label_config).items()
    for found in parsed[name]["inputs"]:
        del found["valueType"]  # which only the SDK has
    assert parsed == {name: entry}


def test_a_package_that_the_sdk_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image of the extras that end with -lite is without it."""
    for name in [name for name in sys.modules if name.startswith(SDK_PARSER)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxml", None)
    model = PatternBackend(label_config=Example.load(PatternBackend).label_config)
    with pytest.raises(SettingError, match=r"lxml is not installed, .* pip install lxml"):
        SmallBase.parsed_label_config.func(model)


def test_only_its_extra_requires_label_studio_ml() -> None:
    project = (REPO / "pyproject.toml").read_text()
    always = project.partition("\ndependencies = [")[2].partition("\n]")[0]
    assert "label-studio-sdk" in always
    assert not [
        name for name in ("label-studio-ml", "redis", "rq>", "setuptools") if name in always
    ]
