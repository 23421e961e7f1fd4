"""What a server imports and holds at its start, once its models are converted."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

import backends
from shared.backend import Backend, ModelSpec
from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.pipeline.runtime import reset_runtime
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, changed_environment, read_settings
from shared.testing import find_differences
from tests.bench.machine import measure_slowness
from tests.bench.start import (
    BOUNDS,
    COMMAND_SECONDS,
    COMMANDS,
    HEALTH_SECONDS,
    STARTERS,
    Start,
    maps,
    processes_of,
    run_command,
    start,
)
from tests.serving import served

# Machines that tests run on are busy: a tenth more would be noise there.
NOISE = 1.3
READ_WITHOUT_TORCH = ("detection", "ner", "text_classification")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the conversions of the starters, made in this process."""
    for package in ("openvino", "torch", "transformers", "ultralytics"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("cache")
    with changed_environment({**STARTERS, "CACHE_DIR": str(folder)}):
        for name in READ_WITHOUT_TORCH:
            backend = find_backends()[name](served=True)
            for spec in backend.default_specs():
                backend.load(spec)
        yield folder


def within_bounds(names: tuple[str, ...], found: Start) -> None:
    """Memory as it is; of the time what the processor spends, which others do not lengthen."""
    assert found.megabytes <= BOUNDS[names].megabytes * NOISE
    slowness = measure_slowness()
    assert found.health_processor_seconds <= HEALTH_SECONDS * NOISE * slowness
    assert found.processor_seconds <= BOUNDS[names].ready_seconds * NOISE * slowness
    assert found.libraries == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_comes_at_once(words: tuple[str, ...]) -> None:
    """The least of some, as what runs beside it makes a processor slower."""
    processor_seconds = min(run_command(*words)[1] for _ in range(3))
    assert processor_seconds <= COMMAND_SECONDS * NOISE * measure_slowness()


def test_a_server_of_rules_is_small(tmp_path: Path) -> None:
    within_bounds(("pattern",), start(("pattern",), tmp_path))


@pytest.mark.parametrize("name", ["ner", "detection"])
def test_a_server_with_a_converted_model_is_small(name: str, cache: Path) -> None:
    found = start((name,), cache)
    within_bounds((name,), found)
    assert found.peak_megabytes <= found.megabytes * 1.2 * NOISE


def test_converted_models_predict_without_pytorch(cache: Path, tmp_path: Path) -> None:
    """What they predict is what is expected of the networks that they were converted from."""
    variables = {**STARTERS, "CACHE_DIR": str(cache), "DETECTION_PRECISION": "f32"}
    variables["LOCAL_FILES_ROOT"] = str(Path(backends.__file__).parent)
    with served(*READ_WITHOUT_TORCH, log=tmp_path / "log", **variables) as server:
        server.wait("/ready")
        for name in READ_WITHOUT_TORCH:
            example = Example.load(find_backends()[name])
            answer = httpx.post(
                f"{server.url}/{name}/predict", json=example.predict_request(), timeout=100
            )
            assert find_differences(answer.json()["results"], example.expected) == []
        engines = [model["engine"] for model in httpx.get(f"{server.url}/status").json()["models"]]
        assert all("OpenVINO in f32" in engine or "bf16" in engine for engine in engines), engines
        libraries = "".join(map(maps, processes_of(server)))
    assert "openvino" in libraries
    assert "libtorch" not in libraries


def test_a_first_request_imports_nothing(cache: Path, tmp_path: Path) -> None:
    """An import holds the interpreter, and by that /health, while its library is read from disk."""
    variables = {**STARTERS, "CACHE_DIR": str(cache), "PYTHONPROFILEIMPORTTIME": "1"}
    variables["LOCAL_FILES_ROOT"] = str(Path(backends.__file__).parent)
    log = tmp_path / "log"
    with served(*READ_WITHOUT_TORCH, log=log, **variables) as server:
        server.wait("/ready")
        known = len(log.read_text())
        for name in READ_WITHOUT_TORCH:
            request = Example.load(find_backends()[name]).predict_request()
            response = httpx.post(f"{server.url}/{name}/predict", json=request, timeout=100)
            assert response.status_code == 200, response.text
        said = log.read_text()
    assert "import time:" in said[:known]
    assert [line for line in said[known:].splitlines() if line.startswith("import time:")] == []


class Started(Backend):
    """Has one model, which loads at the start."""

    def default_specs(self) -> list[ModelSpec]:
        return [ModelSpec(self.name, "model")]

    def infer(self, model: Any, items: list[Any]) -> list[Any]:
        return items

    def regions(self, output: Any, claim: Any) -> list[Any]:
        return []


def test_health_is_answered_while_libraries_are_imported() -> None:
    """An import takes seconds, on a slow disk minutes."""
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(Started):
        name = "slow"

        @classmethod
        def import_modules(cls) -> None:
            begun.set()
            assert goes_on.wait(60)

    reset_runtime()
    with TestClient(create_app(BackendService([Slow]), read_settings(Settings))) as client:
        assert begun.wait(60)
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        goes_on.set()
        while client.get("/ready").status_code != 200:
            time.sleep(0.01)


class Unspecific(Started):
    name = "unspecific"

    def default_specs(self) -> list[ModelSpec]:
        raise NameError("a mistake")


class Leaving(Started):
    name = "leaving"

    @classmethod
    def import_modules(cls) -> None:
        raise SystemExit("as a library may do that does not find something")


class Whole(Started):
    name = "whole"


def test_a_backend_with_faulty_code_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    reset_runtime()
    faulty = BackendService([Unspecific, Leaving, Whole], named=["unspecific", "whole"])
    with TestClient(create_app(faulty, read_settings(Settings))) as client:
        while client.get("/ready").json()["waiting"]:
            time.sleep(0.01)
        said = "unspecific: NameError in its default_specs: the log says more"
        ready, status = client.get("/ready"), client.get("/status").json()
        assert (ready.status_code, ready.json()["failed"]) == (503, {"unspecific": said})
        assert status["problems"] == {"unspecific": said}
        assert {one["model"]: one["state"] for one in status["models"]} == {
            "leaving-model": "loaded",
            "whole-model": "loaded",
        }
    assert "leaving-model: SystemExit: as a library may do" in caplog.text
    assert "NameError: a mistake" in caplog.text


LOADER = """
import json, sys
import shared
shared.is_own_program = True
from shared.backend.registry import find_backend
backend = find_backend("text_classification")(served=True)
[spec] = backend.default_specs()
engine = backend.load(spec).network.engine
heavy = ("torch", "transformers", "label_studio_ml")
print(json.dumps([engine, [name for name in heavy if name in sys.modules]]))
"""


def test_a_first_conversion_is_done_in_another_process(tmp_path: Path) -> None:
    variables = STARTERS | {"CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", LOADER],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["openvino", []]
