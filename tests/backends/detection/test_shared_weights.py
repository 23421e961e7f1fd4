"""Weights are loaded once, however label configs want them to be run and decoded."""

import base64
import gc
import time
from pathlib import Path
from typing import Any

import pytest

from backends.detection import DetectionBackend
from backends.detection.model import loader, shared_weights
from backends.detection.model.engines import MAX_COMPILED_SHAPES, OpenVinoEngine
from shared.pipeline import runtime
from shared.pipeline.models import ModelEntry
from tests.backends.detection.clip import draw_frame, encode_video
from tests.backends.detection.conftest import Predict, data_url, route_of
from tests.backends.detection.every_tag import control_tag
from tests.backends.detection.test_defects import BOXES, SHAPES

VIDEO = '<VideoRectangle name="v" toName="video" {}/><Labels name="l" toName="video">'
VIDEO += f"{SHAPES}</Labels>"


@pytest.fixture
def loads(environment: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the names of the files that are loaded."""
    gc.collect()
    names: list[str] = []
    load = loader.load_engine

    def counting(weights: Path, *rest: Any) -> Any:
        names.append(weights.name)
        return load(weights, *rest)

    monkeypatch.setattr(loader, "load_engine", counting)
    return names


def loaded_models() -> list[ModelEntry]:
    return [slot for slot in runtime.runtime().models.all_models() if slot.state == "loaded"]


def with_attribute(text: str) -> str:
    return BOXES.replace(">", f" {text}>", 1)


def test_fifty_values_of_iou_are_one_model(loads: list[str], predict: Predict) -> None:
    answers = [predict(with_attribute(f'model_iou="{n / 100}"')) for n in range(30, 80)]
    assert len(loads) == 1
    [slot] = loaded_models()
    assert "iou" not in dict(slot.spec.options)
    assert len({answer["model_version"] for answer in answers}) == 50
    assert all(answer["result"] for answer in answers)


def test_the_default_model_is_the_one_that_label_configs_ask_for(
    loads: list[str], predict: Predict
) -> None:
    backend = DetectionBackend()
    for spec in backend.default_specs():
        runtime.runtime().models.get_or_load(backend, spec)
    for text in ('model_iou="0.5"', 'model_score_threshold="0.0001"', 'model_conf="0.9"'):
        predict(with_attribute(text))
    assert len(loaded_models()) == 1


def test_values_of_iou_on_one_image_each_have_their_boxes(predict: Predict) -> None:
    """Overlapping boxes are one object under a low value and several under a high one."""

    def boxes(name: str, iou: float) -> str:
        return control_tag("RectangleLabels", "yolo11n", f'model_iou="{iou}"', conf=0.01, name=name)

    alone = {iou: len(predict(boxes("r", iou))["result"]) for iou in (0.1, 0.9)}
    assert alone[0.1] < alone[0.9]
    both = predict(boxes("few", 0.1) + boxes("many", 0.9))["result"]
    counted = [sum(r["from_name"] == name for r in both) for name in ("few", "many")]
    assert counted == [alone[0.1], alone[0.9]]


def test_image_sizes_and_videos_share_the_weights(loads: list[str], predict: Predict) -> None:
    for size in (0, 320, 64, 96, 128, 192):
        predict(with_attribute(f'model_image_size="{size}"'))
    film = encode_video([draw_frame(number)[0] for number in range(4)])
    xml = '<View><Image name="image" value="$image"/><Video name="video" value="$video"/>'
    route = route_of(xml + BOXES + VIDEO.format('model_iou="0.4"') + "</View>")
    video = "data:video/webm;base64," + base64.b64encode(film).decode()
    [outcome] = runtime.runtime().pipeline.run(
        route, [{"id": 1, "data": {"image": data_url(), "video": video}}]
    )
    assert outcome.error is None
    assert len(loads) == 1
    assert len(loaded_models()) == 7, "a queue for each"


def test_other_weights_are_loaded_by_themselves(loads: list[str], predict: Predict) -> None:
    for name in ("yolo11n", "yolov8n", "yolo11n"):
        predict(with_attribute(f'model_path="{name}.pt"'))
    assert loads == ["yolo11n.pt", "yolov8n.pt"]


def test_weights_that_nobody_uses_are_let_go(loads: list[str], predict: Predict) -> None:
    for _ in range(2):
        predict(BOXES)
        runtime.reset_runtime()
        until = time.monotonic() + 10  # the thread of a queue may end later
        while shared_weights._loaded_weights and time.monotonic() < until:
            time.sleep(0.05)
            gc.collect()
    assert len(loads) == 2


def test_shapes_that_are_compiled_are_bounded(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a copy of the weights; other shapes run on the model for any shape."""
    pytest.importorskip("openvino")
    seen: list[OpenVinoEngine] = []
    expect = OpenVinoEngine.add_shapes

    def noted(self: OpenVinoEngine, shapes: Any) -> None:
        seen.append(self)
        expect(self, shapes)

    monkeypatch.setattr(OpenVinoEngine, "add_shapes", noted)
    found = [predict(with_attribute(f'model_image_size="{32 * n}"')) for n in range(3, 13)]
    assert all(answer["result"] for answer in found)
    assert len({id(engine) for engine in seen}) == 1
    assert len(seen[0]._shapes) <= MAX_COMPILED_SHAPES
    assert len(seen[0]._compiled) <= MAX_COMPILED_SHAPES + 1
