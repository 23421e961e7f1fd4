"""What MODEL_MEMORY counts beside what the process really grows by: python -m tests.bench.memory

Networks of their real size with random weights, each in a process of its own, and three in one.
What a process has imported is no model's. Growth is what the process holds more after texts and
images of several sizes than before it loaded a model, without caches and what malloc only keeps.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shared.backend.base import Backend
from shared.backend.process_resources import shared_resources
from shared.backend.registry import find_backend
from shared.pipeline.process_memory import release_memory, resident_bytes
from shared.pipeline.runtime import runtime
from shared.pipeline.standalone import plan_backend, predict
from tests.bench import segment, text
from tests.bench.table import Row, Size, show, size_of, sized

MB = 1_000_000
BOXES = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="0"/></RectangleLabels></View>"""
SIDES = ((640, 480), (1280, 720), (480, 640), (600, 600))
Case = tuple[str, str, dict[str, str]]
"""The backend, its model, and further settings."""
BERT, YOLO, SAM = ("ner", "bert-base"), ("detection", "yolo11m.pt"), ("segment", "mobile_sam.pt")
CASES: dict[str, Sequence[Case]] = {
    "BERT-base": [(*BERT, {})],
    "BERT-base on PyTorch": [(*BERT, {"ENGINE": "torch"})],
    "YOLO11m": [(*YOLO, {})],
    "YOLO11n": [("detection", "yolo11n.pt", {})],
    "MobileSAM": [(*SAM, {})],
    "BERT-base, YOLO11m and MobileSAM": [(*BERT, {}), (*YOLO, {}), (*SAM, {})],
}
SMALLEST: dict[str, Sequence[Case]] = {"the starter of segment": [("segment", "starter", {})]}


def rows(size: Size = "whole") -> Iterator[Row]:
    """Of each case, the MB that count beside those that are there."""
    cases = sized(size, CASES, CASES, SMALLEST)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, side in enumerate(SIDES):
            pixels = np.random.default_rng(number).integers(0, 256, (*side[::-1], 3), np.uint8)
            cv2.imwrite(str(folder / f"{number}.jpg"), pixels)
        for title, models in cases.items():
            if size != "smallest":
                make_models({model for _, model, _ in models}, folder)
            run(models, folder)  # converts
            counted, grown = run(models, folder)
            yield Row(
                f"MODEL_MEMORY counts of {title}", "MB", (counted,), (grown,), "the process grows",
                at_least=0.9, at_most=1.1,
            )  # fmt: skip


def make_models(names: set[str], folder: Path) -> None:
    """Save the networks that are not in the folder yet."""
    for name in names:
        if (folder / name).exists():
            continue
        if name == "bert-base":
            text.model_in(folder / name)
        elif name.startswith("yolo"):
            from ultralytics import YOLO

            YOLO(f"{Path(name).stem}.yaml").save(folder / name)
        else:
            segment.save_random_weights(name, folder)


def run(models: Sequence[Case], folder: Path) -> tuple[float, float]:
    """Return, of a fresh process that runs models, the MB that count and those that it grows by."""
    settings = {
        "CACHE_DIR": str(folder / "cache"),
        "LOCAL_FILES_ROOT": str(folder),
        "MODEL_DIR": str(folder),
        "MODEL_MEMORY": "100000",
    }
    for backend, model, further in models:
        name = str(folder / model) if backend == "ner" else model
        settings |= {f"{backend.upper()}_MODEL": name, **further}
    names = [backend for backend, _, _ in models]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", "measure", *names],
        env=os.environ | settings, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    counted, grown = json.loads(done.stdout.splitlines()[-1])
    return counted, grown


def measure(names: Sequence[str]) -> tuple[float, float]:
    """Run the models of backends in this process, each after the other, then again in turns."""
    works = [WORKS[name]() for name in names]
    release_memory()
    before = resident_bytes()
    for work in (*works, *works):
        work()
    release_memory()
    counted = sum(entry.memory_bytes for entry in runtime().models.all_models())
    cached = runtime().output_cache.bytes + shared_resources().cached_bytes()
    return counted / MB, (resident_bytes() - before - cached) / MB


def made(name: str, config: str) -> Backend:
    """Return a backend whose libraries are imported."""
    backend_class = find_backend(name)
    assert backend_class is not None, f"{name} is not installed"
    backend_class.import_modules()
    backend = backend_class(label_config=config, served=True)
    plan_backend(backend)
    return backend


def texts() -> Callable[[], None]:
    """Texts of all lengths, a short one first."""
    backend, drawn = made("ner", text.CONFIG), text.Texts()

    def work() -> None:
        for count, longest in ((1, 8), (4, 60), (1, 400), (8, 400)):
            words = drawn.of(count, min(longest, 5), longest)
            answered(predict(backend, [{"id": 1, "data": {"text": one}} for one in words]))

    return work


def images() -> Callable[[], None]:
    """Images of all sides, one alone first."""
    backend = made("detection", BOXES)

    def work() -> None:
        for count in (1, 4, 8):
            answered(predict(backend, [task_of(number % len(SIDES)) for number in range(count)]))

    return work


def clicks() -> Callable[[], None]:
    """Clicks on images."""
    backend = made("segment", segment.CONFIG)

    def work() -> None:
        for number in range(len(SIDES)):
            for count in (1, 2, 3):
                context = {"result": [segment.click(place) for place in range(count)]}
                answered(predict(backend, [task_of(number)], context))

    return work


WORKS = {"ner": texts, "detection": images, "segment": clicks}


def task_of(number: int) -> dict[str, Any]:
    return {"id": number, "data": {"image": f"/data/local-files/?d={number}.jpg"}}


def answered(answers: Sequence[Any]) -> None:
    """Fail if a task was not predicted."""
    assert all(answers), answers


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        sys.stdout.write(f"{json.dumps(measure(sys.argv[2:]))}\n")
    else:
        show(rows(size_of(sys.argv[1:])))
