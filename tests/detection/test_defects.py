"""What fails in the official example does not fail here; and what may be loaded at all."""

import base64
import logging
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import loading, weights
from backends.detection.model import Detector
from backends.detection.starter.shapes import draw_picture
from shared import runtime
from shared.errors import ModelError
from shared.settings import Settings
from tests.detection.conftest import PICTURE, Predict, data_url, route_of
from tests.detection.every_tag import CHOICES, tag
from tests.detection.turned import turned_jpeg

SHAPES = "".join(
    f'<Label value="{name}"/>' for name in ("CIRCLE", "sQuare", "triangle", "star", "cross")
)
BOXES = f'<RectangleLabels name="r" toName="image">{SHAPES}</RectangleLabels>'


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images a network was given each time, but for the trial when it is loaded."""
    counted: list[int] = []
    original = Detector.detect

    def detect(self: Detector, images: Any) -> Any:
        if images and threading.current_thread().name.startswith("infer"):
            counted.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Detector, "detect", detect)
    return counted


def test_six_tags_cost_one_pass(predict: Predict, passes: list[int]) -> None:
    kinds = ("RectangleLabels", "PolygonLabels", "BrushLabels", "BitmaskLabels", "EllipseLabels")
    tags = "".join(tag(kind, "yolo11n-seg") for kind in kinds)
    results = predict(tags + tag("Choices", "yolo11n-seg", labels=CHOICES))["result"]
    assert {r["from_name"] for r in results} == {*kinds, "Choices"}
    assert passes == [1]


def test_model_is_loaded_once(
    predict: Predict, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []
    load = loading.load

    def counting(path: Path, *rest: Any) -> Any:
        loads.append(path)
        return load(path, *rest)

    monkeypatch.setattr(loading, "load", counting)
    for _ in range(3):
        assert predict(BOXES)["result"]
    assert len(loads) == 1


def test_broken_and_empty_images_keep_their_places(environment: None) -> None:
    """An image without any object is an answer; a broken one costs its own task alone."""
    polygons = tag("PolygonLabels", "yolo11n-seg", conf=1)
    xml = f'<View><Image name="image" value="$image"/>{polygons}{BOXES}</View>'
    empty = data_url(np.full((64, 64, 3), 255, np.uint8))
    values = [data_url(), "data:image/png;base64,AAAA", empty, data_url(PICTURE[:, ::-1])]
    tasks = [{"id": n, "data": {"image": value}} for n, value in enumerate(values)]
    answers = [o.answer() for o in runtime.runtime().pipeline.run(route_of(xml), tasks)]
    assert answers[1] == []
    assert answers[2]["result"] == []  # type: ignore[call-overload]
    first, last = (
        sorted(r["value"]["x"] for r in answers[n]["result"])  # type: ignore[call-overload]
        for n in (0, 3)
    )
    assert first
    assert last
    assert first != last


@pytest.mark.parametrize("key", ["model_score_threshold", "model_conf"])
def test_any_threshold_works(key: str, predict: Predict) -> None:
    numbers = []
    for threshold in (0.4, 0.25, 0.05):
        attributes = tag("RectangleLabels", "yolo11n").replace("model_score_threshold", key)
        attributes = attributes.replace('"0.3"', f'"{threshold}"')
        scores = [r["score"] for r in predict(attributes)["result"]]
        assert all(score >= threshold - 1e-4 for score in scores)
        numbers.append(len(scores))
    assert numbers[0] < numbers[1] < numbers[2]
    least = [BOXES.replace(">", f' {key}="{text}">', 1) for text in ("0.05", "0.0")]
    assert len(predict(least[0])["result"]) < len(predict(least[1])["result"])


def test_labels_match_whatever_their_case_and_the_log_says_so_once(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "shared.claim"):
        found = {r["value"]["rectanglelabels"][0] for r in predict(BOXES)["result"]}
    assert found <= {"CIRCLE", "sQuare", "triangle", "star", "cross"}
    assert found & {"CIRCLE", "sQuare"}
    reports = [r.getMessage() for r in caplog.records if "circle → CIRCLE" in r.getMessage()]
    assert len(reports) == 1


def test_a_network_that_cannot_fill_a_tag_is_named(
    predict: Predict, environment: None, caplog: pytest.LogCaptureFixture
) -> None:
    polygons = f'<PolygonLabels name="p" toName="image">{SHAPES}</PolygonLabels>'
    results = predict(polygons + BOXES)["result"]
    assert {r["from_name"] for r in results} == {"r"}
    assert 'PolygonLabels "p" needs masks or oriented boxes' in caplog.text


def test_classes_iou_and_image_size(predict: Predict) -> None:
    only = BOXES.replace(">", ' model_classes="circle, star">', 1)
    labels = {r["value"]["rectanglelabels"][0] for r in predict(only)["result"]}
    assert labels <= {"CIRCLE", "star"}
    many, few = (
        len(predict(tag("RectangleLabels", "yolo11n", f'model_iou="{iou}"', conf=0.01))["result"])
        for iou in (0.9, 0.1)
    )
    assert few < many
    sizes = [predict(BOXES.replace(">", f' model_image_size="{n}">', 1)) for n in (320, 64)]
    assert sizes[0]["result"] != sizes[1]["result"]
    assert sizes[0]["model_version"] != sizes[1]["model_version"]


def test_each_image_of_a_list_has_its_item_index(predict: Predict, passes: list[int]) -> None:
    images = [data_url(), data_url(PICTURE[:, ::-1])]
    found = predict(BOXES, {"pages": images}, 'valueList="$pages"')["result"]
    assert {r["item_index"] for r in found} == {0, 1}
    assert passes == [2]


@pytest.mark.parametrize("path", ["../outside.pt", "/etc/passwd", "missing.pt", "yolov8n-cls.pt"])
def test_a_label_config_loads_no_other_weights(path: str, environment: None) -> None:
    xml = BOXES.replace(">", f' model_path="{path}">', 1)
    route = route_of(f'<View><Image name="image" value="$image"/>{xml}</View>')
    assert route.steps == ()
    assert "DETECTION_ALLOWED_MODELS" in route.problems[0]


def test_weights_outside_model_dir_are_refused(model_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.pt"
    shutil.copy(model_dir / "yolo11n.pt", outside)
    inside = tmp_path / "models"
    inside.mkdir()
    (inside / "link.pt").symlink_to(outside)
    settings = Settings(model_dir=inside)
    for name in (str(outside), "../outside.pt", "link.pt"):
        with pytest.raises(ModelError, match="outside MODEL_DIR"):
            weights.find(name, settings)
    with pytest.raises(ModelError, match="no such file in MODEL_DIR"):
        weights.find("folder/missing.pt", settings)


def test_bad_attributes_are_named(environment: None) -> None:
    bad = tag("KeyPointLabels", "yolov8n-pose", labels='<Label value="nose" model_index="x"/>')
    route = route_of(f'<View><Image name="image" value="$image"/>{bad}{BOXES}</View>')
    assert [claim.control.name for claim in route.claims()] == ["r"]
    assert 'model_index="x" of the label "nose"' in route.problems[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_within_two_pixels_of_the_truth(orientation: int, predict: Predict) -> None:
    drawn = draw_picture(np.random.default_rng(11), (480, 360), "clean", 5)
    photo = turned_jpeg(drawn.image, orientation)
    data = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
    results = predict(BOXES, {"image": data})["result"]
    assert len(results) >= len(drawn.boxes)
    for name, truth in zip(drawn.names, drawn.boxes, strict=True):
        errors = []
        for result in results:
            value = result["value"]
            assert (result["original_width"], result["original_height"]) == (480, 360)
            left, top = value["x"] * 4.8, value["y"] * 3.6
            box = [left, top, left + value["width"] * 4.8, top + value["height"] * 3.6]
            if value["rectanglelabels"][0].lower() == name:
                errors.append(np.abs(np.array(box) - truth).max())
        assert min(errors) <= 2
