"""Defects of the official example that this backend does not have; and what may be loaded.

The table in backends/detection/README.md says which test belongs to which defect.
"""

import base64
import logging
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.backend import MAX_BATCH_SIZE
from backends.detection.inputs.image_list import ImageDetections
from backends.detection.model import loader, weights
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detector import Detector
from backends.detection.model.letterbox import frame_for
from backends.detection.model.postprocess import OutputDecoder
from backends.detection.starter.shapes import draw_picture
from shared.errors import ModelError
from shared.pipeline import runtime
from shared.results import ImageSize
from shared.settings import Settings
from tests.backends.detection.conftest import PICTURE, Predict, data_url, route_of
from tests.backends.detection.every_tag import CHOICES, SCENES, Scene, control_tag
from tests.backends.detection.networks import CLASSES
from tests.backends.detection.turned import turned_jpeg

ROOT = Path(__file__).parents[3]
SHAPES = "".join(
    f'<Label value="{name}"/>' for name in ("CIRCLE", "sQuare", "triangle", "star", "cross")
)
BOXES = f'<RectangleLabels name="r" toName="image">{SHAPES}</RectangleLabels>'


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the images of each call of a network, without the comparison at loading."""
    counted: list[int] = []
    original = Detector.detect

    def detect(self: Detector, images: Any) -> Any:
        if images and threading.current_thread().name.startswith("infer"):
            counted.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Detector, "detect", detect)
    return counted


def test_six_tags_cost_one_pass(on_torch: None, predict: Predict, passes: list[int]) -> None:
    kinds = ("RectangleLabels", "PolygonLabels", "BrushLabels", "BitmaskLabels", "EllipseLabels")
    tags = "".join(control_tag(kind, "yolo11n-seg") for kind in kinds)
    results = predict(tags + control_tag("Choices", "yolo11n-seg", labels=CHOICES))["result"]
    assert {r["from_name"] for r in results} == {*kinds, "Choices"}
    assert passes == [1]


def test_images_of_several_tasks_are_detected_at_once(environment: None) -> None:
    """In a batch, or each in a stream of OpenVINO."""
    lock = threading.Lock()
    running: list[int] = []
    sums: list[int] = []
    counted: list[int] = []

    class Counting(DetectionBackend):
        def infer(self, model: Any, items: Any) -> Any:
            with lock:
                running.append(len(items))
                sums.append(sum(running))
            try:
                return super().infer(model, items)
            finally:
                with lock:
                    running.remove(len(items))
                    counted.append(len(items))

    xml = f'<View><Image name="image" value="$image"/>{BOXES}</View>'
    backend = Counting(label_config=xml, served=True)
    route = runtime.runtime().planner.plan(backend.config, [backend], ["detection"])
    tasks = [{"id": n, "data": {"image": data_url(PICTURE[n:])}} for n in range(24)]
    outcomes = list(runtime.runtime().pipeline.run(route, tasks))
    assert all(outcome.prediction for outcome in outcomes)
    assert sum(counted) == 24
    assert max(sums) > 1


def test_nothing_found_is_an_answer(on_torch: None, environment: None) -> None:
    """A white image and an unreachable threshold, for every tag on images."""
    for scene in SCENES.values():
        if scene.key != "video":
            _finds_nothing(scene)


def _finds_nothing(scene: Scene) -> None:
    xml = re.sub(r'model_score_threshold="[^"]+"', 'model_score_threshold="1"', scene.config)
    white = data_url(np.full((48, 64, 3), 255, np.uint8))
    task = {"id": 1, "data": {scene.key: [white, white] if scene.key == "images" else white}}
    [outcome] = runtime.runtime().pipeline.run(route_of(xml), [task])
    assert outcome.error is None
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert answer["result"] == []
    assert "score" not in answer


def test_model_obb_goes_with_any_network(predict: Predict) -> None:
    for network, more, turned in (
        ("yolo11n-obb", "", True),
        ("yolo11n-obb", 'model_obb="true"', True),
        ("yolo11n-obb", 'model_obb="false"', False),
        ("yolo11n", 'model_obb="true"', False),
        ("yolo11n", "", False),
    ):
        results = predict(control_tag("RectangleLabels", network, more))["result"]
        assert results
        assert any(result["value"]["rotation"] for result in results) == turned


def test_key_points_without_scores(environment: None) -> None:
    """If a network gives only positions, keypoints have the score of their object."""
    kind = NetworkSpec(
        "pose", CLASSES, 160, 32, end_to_end=True, stretches_image=False, keypoint_shape=(2, 2)
    )
    row = np.array([[40, 30, 140, 110, 0.875, 0, 50, 60, 90, 100]], np.float32)
    found = OutputDecoder(kind, 0.1, 0.7).decode([row], frame_for(kind, ImageSize(160, 128)))
    route = route_of(SCENES["key points alone"].config)
    [claim] = route.all_claims()
    regions = list(route.steps[0].backend.regions([ImageDetections(None, found)], claim))
    assert [region.score for region in regions] == [0.875, 0.875]


def test_a_surer_class_without_a_label_leaves_no_choice(predict: Predict) -> None:
    surest = predict(control_tag("Choices", "yolo11n-cls", labels=CHOICES, conf=0.1))["result"]
    assert surest[0]["value"]["choices"] == ["A"], "the class car"
    others = CHOICES.replace('predicted_values="car"', 'predicted_values="bus"')
    assert predict(control_tag("Choices", "yolo11n-cls", labels=others, conf=0.1))["result"] == []


def test_other_weights_are_another_version(
    on_torch: None, predict: Predict, model_dir: Path
) -> None:
    copy = model_dir / "copy.pt"
    shutil.copy(model_dir / "yolo11n.pt", copy)
    tags = control_tag("RectangleLabels", "copy")
    before = predict(tags)["model_version"]
    assert before == predict(tags)["model_version"]
    runtime.reset_runtime()
    shutil.copy(model_dir / "yolov8n.pt", copy)
    after = predict(tags)["model_version"]
    copy.unlink()
    assert before != after
    assert before.startswith("detection-copy.pt-")


def test_every_test_of_the_table_exists() -> None:
    text = (ROOT / "backends" / "detection" / "README.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 20
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), name


def test_model_is_loaded_once(
    predict: Predict, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []
    load = loader.load_detector

    def counting(path: Path, *rest: Any) -> Any:
        loads.append(path)
        return load(path, *rest)

    monkeypatch.setattr(loader, "load_detector", counting)
    for _ in range(3):
        assert predict(BOXES)["result"]
    assert len(loads) == 1


def test_images_are_read_while_the_network_runs(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run ends only after more images are read than its batch can hold."""
    most, ends = MAX_BATCH_SIZE, threading.Event()
    reads: list[int] = []
    read, detect = DetectionBackend.read, Detector.detect

    def counting(self: DetectionBackend, task: Any, *rest: Any) -> Any:
        found = read(self, task, *rest)
        reads.append(task.id)
        if len(reads) > most:
            ends.set()
        return found

    def waiting(self: Detector, images: Any) -> Any:
        if threading.current_thread().name.startswith("infer"):
            assert ends.wait(60), f"only {len(reads)} images are read"
        return detect(self, images)

    monkeypatch.setattr(DetectionBackend, "read", counting)
    monkeypatch.setattr(Detector, "detect", waiting)
    pictures = [np.roll(PICTURE, number, axis=1) for number in range(3 * most)]
    tasks = [{"id": n, "data": {"image": data_url(one)}} for n, one in enumerate(pictures)]
    xml = f'<View><Image name="image" value="$image"/>{BOXES}</View>'
    outcomes = list(runtime.runtime().pipeline.run(route_of(xml), tasks))
    assert [outcome.error for outcome in outcomes] == [None] * len(tasks)


def test_broken_and_empty_images_keep_their_places(environment: None) -> None:
    """An image without objects is an answer; a broken one fails only its own task."""
    polygons = control_tag("PolygonLabels", "yolo11n-seg", conf=1)
    xml = f'<View><Image name="image" value="$image"/>{polygons}{BOXES}</View>'
    empty = data_url(np.full((64, 64, 3), 255, np.uint8))
    values = [data_url(), "data:image/png;base64,AAAA", empty, data_url(PICTURE[:, ::-1])]
    tasks = [{"id": n, "data": {"image": value}} for n, value in enumerate(values)]
    answers = [o.to_response() for o in runtime.runtime().pipeline.run(route_of(xml), tasks)]
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
        attributes = control_tag("RectangleLabels", "yolo11n").replace("model_score_threshold", key)
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
    with caplog.at_level(logging.INFO, "shared.backend.claim"):
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
    assert 'model_segment="true" and SEGMENT_MODEL make masks of its boxes' in caplog.text


def test_classes_iou_and_image_size(predict: Predict) -> None:
    only = BOXES.replace(">", ' model_classes="circle, star">', 1)
    labels = {r["value"]["rectanglelabels"][0] for r in predict(only)["result"]}
    assert labels <= {"CIRCLE", "star"}
    many, few = (
        len(
            predict(control_tag("RectangleLabels", "yolo11n", f'model_iou="{iou}"', conf=0.01))[
                "result"
            ]
        )
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
    assert sum(passes) == 2, "each image once, though the first may go before the second is read"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.pt",
        "/etc/passwd",
        "missing.pt",
        "yolov8n-mine.pt",
        pytest.param("a" * 5000, id="long"),
    ],
)
def test_a_label_config_loads_no_other_weights(path: str, environment: None) -> None:
    xml = BOXES.replace(">", f' model_path="{path}">', 1)
    route = route_of(f'<View><Image name="image" value="$image"/>{xml}</View>')
    assert route.steps == ()
    assert "DETECTION_ALLOWED_MODELS" in route.problems[0]


def test_weights_for_clicks_are_no_mistake_to_detection(environment: None) -> None:
    """They are right for `segment`, which may serve beside it: the message says what to add."""
    xml = BOXES.replace(">", ' model_path="mobile_sam.pt">', 1)
    route = route_of(f'<View><Image name="image" value="$image"/>{xml}</View>')
    assert route.steps == ()
    assert 'add model_backend="segment"' in route.problems[0]


def test_weights_outside_model_dir_are_refused(model_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.pt"
    shutil.copy(model_dir / "yolo11n.pt", outside)
    inside = tmp_path / "models"
    inside.mkdir()
    (inside / "link.pt").symlink_to(outside)
    settings = Settings(model_dir=inside)
    for name in (str(outside), "../outside.pt", "link.pt"):
        with pytest.raises(ModelError, match="outside MODEL_DIR"):
            weights.find_weights(name, settings)
    with pytest.raises(ModelError, match="no such file in MODEL_DIR"):
        weights.find_weights("folder/missing.pt", settings)


def test_bad_attributes_are_named(environment: None) -> None:
    bad = control_tag(
        "KeyPointLabels", "yolov8n-pose", labels='<Label value="nose" model_index="x"/>'
    )
    route = route_of(f'<View><Image name="image" value="$image"/>{bad}{BOXES}</View>')
    assert [claim.control.name for claim in route.all_claims()] == ["r"]
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
