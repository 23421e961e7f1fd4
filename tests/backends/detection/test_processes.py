"""Several processes with one cache: all get a working network, and one copy is kept."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection.model import loader
from backends.detection.model.detector import RunOptions
from shared.settings import Settings
from tests.backends.detection.test_engines import draw_images

LOADER = """
import json, sys, time
from pathlib import Path
from backends.detection.model import loader
from backends.detection.model.detector import RunOptions
from shared.settings import Settings
from tests.backends.detection.test_engines import draw_images

weights, cache, engine, mine, other = sys.argv[1:]
import backends.detection.model.export_wrapper, ultralytics.models.yolo
images = draw_images(3)
Path(mine).touch()
while not Path(other).exists():
    time.sleep(0.001)
start = time.time()
detector = loader.load_detector(
    Path(weights), RunOptions(), Settings(engine=engine, cache_dir=cache, device="cpu"), "f32"
)
end = time.time()
found = [[one.boxes.tolist(), one.scores.tolist()] for one in detector.detect(images)]
print(json.dumps({"from": start, "to": end, "engine": detector.engine.name, "found": found}))
"""
NAMES = {"openvino": "OpenVINO in f32", "onnx": "ONNX Runtime"}


def process_outputs(processes: list["subprocess.Popen[str]"]) -> list[Any]:
    said = [process.communicate(timeout=240) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


@pytest.mark.parametrize("engine", NAMES)
def test_two_that_load_the_same_weights_at_once(
    engine: str, model_dir: Path, tmp_path: Path
) -> None:
    if engine == "onnx":
        pytest.importorskip("onnx")
    weights, cache = model_dir / "yolo11n.pt", tmp_path / "cache"
    signs = [str(tmp_path / "one"), str(tmp_path / "two")]
    command = [sys.executable, "-c", LOADER, str(weights), str(cache), engine]
    environment = os.environ | {"YOLO_OFFLINE": "true"}
    first, second = process_outputs(
        [
            subprocess.Popen(
                [*command, *order],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=Path(__file__).parents[3],
            )
            for order in (signs, signs[::-1])
        ]
    )
    assert max(first["from"], second["from"]) < min(first["to"], second["to"])
    assert first["engine"] == second["engine"] == NAMES[engine]
    [kept] = (cache / engine).iterdir()
    [file] = (path for path in kept.iterdir() if path.suffix in {".xml", ".onnx"})
    made = file.stat().st_mtime_ns
    before = time.time_ns()
    settings = Settings(engine=engine, cache_dir=cache, device="cpu")
    detector = loader.load_detector(weights, RunOptions(), settings, "f32")
    assert file.stat().st_mtime_ns == made < before
    found = detector.detect(draw_images(3))
    assert sum(map(len, found)) > 10
    for said in (first, second):
        for one, (boxes, scores) in zip(found, said["found"], strict=True):
            assert np.allclose(one.boxes, boxes, atol=0.01)
            assert np.allclose(one.scores, scores, atol=1e-4)
