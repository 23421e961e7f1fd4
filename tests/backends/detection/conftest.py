"""Networks in a MODEL_DIR, a drawn picture, and what Ultralytics itself detects on it."""

import base64
import fcntl
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.model import loader
from backends.detection.model.detector import Detector
from backends.detection.starter.shapes import draw_picture
from shared.pipeline import runtime
from shared.pipeline.plan import PredictionPlan
from shared.settings import changed_environment
from tests.backends.detection.networks import SIZE, save_network

NETWORKS = (
    "yolov8n",
    "yolo11n",
    "yolo26n",
    "rtdetr-l",
    "yolo11n-seg",
    "yolo26n-seg",
    "yolov8n-pose",
    "yolo26n-pose",
    "yolo11n-obb",
    "yolo26n-obb",
    "yolo11n-cls",
)
PICTURE = draw_picture(np.random.default_rng(3), (400, 300), "clean", 6).image


def data_url(pixels: Any = PICTURE) -> str:
    """Return an RGB image as the value of a task."""
    _, png = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


@pytest.fixture(scope="session")
def model_dir(shared_dir: Path) -> Path:
    """Return a folder with all of `NETWORKS`, which the first of several processes makes for all.

    A file of weights says when it was made: those of another process would be converted again.
    """
    pytest.importorskip("ultralytics")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    folder, draft = shared_dir / "networks", shared_dir / "networks.draft"
    with (shared_dir / "networks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft.mkdir(exist_ok=True)
            for name in NETWORKS:
                save_network(name, draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="module")
def keep_networks() -> Iterator[None]:
    """Keep what is loaded until the module ends: models of the same weights share it.

    Each test has a runtime of its own, which would compile the network again.
    """
    kept: list[Detector] = []
    load = loader.load_detector

    def load_and_keep(*arguments: Any) -> Detector:
        kept.append(load(*arguments))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "load_detector", load_and_keep)
        yield
    kept.clear()


@pytest.fixture
def on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the engine that loads fastest. Ask for it before `environment` or `predict`."""
    monkeypatch.setenv("ENGINE", "torch")


@pytest.fixture
def environment(model_dir: Path) -> Iterator[None]:
    """Set what `model_path` needs to find the networks, with a fresh runtime."""
    settings = {"MODEL_DIR": str(model_dir), "DETECTION_MODEL": "starter"}
    with changed_environment({**settings, "DETECTION_PRECISION": "f32"}):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


Predict = Callable[..., dict[str, Any]]


@pytest.fixture
def predict(environment: None) -> Predict:
    """Return a function that predicts the picture, or other data, for some control tags."""

    def answer(tags: str, data: Any = None, image: str = 'value="$image"') -> dict[str, Any]:
        xml = f'<View><Image name="image" {image}/>{tags}</View>'
        route = route_of(xml)
        task = {"id": 1, "data": {"image": data_url()} if data is None else data}
        [outcome] = runtime.runtime().pipeline.run(route, [task])
        if outcome.error is not None:
            raise outcome.error
        answered = outcome.to_response()
        assert isinstance(answered, dict)
        return answered

    return answer


def route_of(xml: str) -> PredictionPlan:
    """Return the plan of a label config for this backend alone."""
    backend = DetectionBackend(label_config=xml, served=True)
    return runtime.runtime().planner.plan(backend.config, [backend], ["detection"])


@pytest.fixture(scope="session")
def reference(model_dir: Path) -> Callable[[str, float], Any]:
    """Return a function for Ultralytics' own result on the picture, from a minimum score."""
    from ultralytics import YOLO

    @cache
    def result(name: str, conf: float) -> Any:
        loaded = YOLO(model_dir / f"{name}.pt")
        return loaded.predict(
            np.ascontiguousarray(PICTURE[:, :, ::-1]),
            imgsz=SIZE,
            conf=conf,
            retina_masks=True,
            device="cpu",
            verbose=False,
        )[0].numpy()

    return result
