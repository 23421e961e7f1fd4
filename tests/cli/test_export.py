"""A model that was exported serves where neither PyTorch nor what belongs to it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.errors import ModelError
from shared.settings import changed_environment
from shared.testing import find_differences
from tests.backends.damage import change_byte

from .conftest import REPO, Command

# As in the image of the extras that end with -lite.
WITHOUT_TORCH = """
import json, re, sys
from pathlib import Path
for name in ("torch", "torchvision", "transformers", "ultralytics", "lap", "av", "nncf"):
    sys.modules[name] = None
for name in re.findall("^[a-z].*", Path("docker/unused-by-lite.txt").read_text(), re.M):
    sys.modules[name.replace("-", "_")] = None
from starlette.testclient import TestClient
from shared.backend.example import Example
from shared.backend.registry import find_backend
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings

backend = find_backend(sys.argv[1])
service = BackendService([backend], named=[backend.name])
body = Example.load(backend).predict_request()
with TestClient(create_app(service, read_settings(Settings))) as client:
    answers = client.post("/predict", json=body).json()["results"]
    failures = client.get("/status").json()["failures"]["recent"]
print(json.dumps([answers, [failure["message"] for failure in failures]]))
"""


def predict_without_torch(name: str, **variables: str) -> Any:
    """The answers for a backend's example, and the messages of its failures."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, name],
        capture_output=True,
        text=True,
        cwd=REPO,
        env=os.environ | {"LOCAL_FILES_ROOT": str(REPO / "backends")} | variables,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["detection", "ner"])
def test_an_exported_model_predicts_without_pytorch(
    name: str, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("openvino", "torch", "transformers", "ultralytics"):
        pytest.importorskip(package)
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DETECTION_PRECISION", "f32")
    ran = prelabel("export", f"{name}:starter", "--output", "models/mine")
    assert ran.status == 0, ran.err
    variable = f"{name.upper()}_MODEL"
    assert f"{name}-starter: OpenVINO in " in ran.out
    assert f"{variable}=mine" in ran.out
    used = {variable: "mine", "MODEL_DIR": str(tmp_path / "models")}
    answers, failures = predict_without_torch(name, **used, CACHE_DIR=str(tmp_path / "other"))
    assert failures == []
    expected = Example.load(find_backends()[name]).expected
    assert find_differences(answers, expected) == []
    again = prelabel("export", f"{name}:starter", "--output", "models/mine")
    assert (again.status, "is there already" in again.err) == (2, True)
    for weights in (tmp_path / "models" / "mine").rglob("model.bin"):  # of each precision
        change_byte(weights)
    with changed_environment(used):
        backend = find_backends()[name](served=True)
        [spec] = backend.default_specs()
        with pytest.raises(ModelError, match=r"mine: .*model\.bin is damaged: .*; export it again"):
            backend.load(spec)


def test_what_is_missing_for_another_model_is_said(tmp_path: Path) -> None:
    answers, failures = predict_without_torch(
        "detection", DETECTION_MODEL="starter", CACHE_DIR=str(tmp_path)
    )
    assert all(answer == [] for answer in answers)
    assert "has not been converted, and torch" in failures[0]
    assert "prelabel export" in failures[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pattern", "--output", "new"], "pattern has no model"),
        (["no_such", "--output", "new"], "Unknown backend no_such"),
        (["ner:starter", "--output", "kept"], "kept is there already"),
    ],
)
def test_what_cannot_be_exported(
    arguments: list[str], message: str, prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("something")
    ran = prelabel("export", *arguments)
    assert (ran.status, message in ran.err) == (2, True), ran.err


def test_a_folder_that_cannot_be_made_is_named(prelabel: Command) -> None:
    ran = prelabel("export", "ner:starter", "--output", "/proc/mine")
    assert ran.status != 0
    assert "/proc/mine cannot be written (No such file or directory): choose another" in ran.err
    assert "Traceback" not in ran.err
