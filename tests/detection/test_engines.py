"""All engines find what PyTorch does, and what was asked for is what runs."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import agreement, converted, engines, loading, network, weights
from backends.detection.agreement import OVERLAP, SCORE, least_overlap, overlaps
from backends.detection.found import Found
from backends.detection.model import Detector, Run
from backends.detection.outputs import Reader
from backends.detection.starter.shapes import draw_picture
from shared.errors import ModelError
from shared.image import Image
from shared.settings import Settings

STARTER = weights.find(weights.STARTER, Settings())
SIZES = ((480, 360), (360, 480), (400, 400), (500, 200))
Load = Callable[..., Detector]


def drawn(count: int) -> list[Image]:
    styles: Any = ("clean", "rough")
    return [
        Image(draw_picture(np.random.default_rng(900 + n), SIZES[n % 4], styles[n % 2], 6).image)
        for n in range(count)
    ]


@pytest.fixture
def load(cache_dir: Path) -> Load:
    """The starter, or other weights, with settings."""

    def loaded(path: Path = STARTER, precision: str = "auto", **settings: Any) -> Detector:
        run = settings.pop("run", Run())
        return loading.load(path, run, Settings(**{"cache_dir": cache_dir, **settings}), precision)

    return loaded


def assert_none_lost(found: Found, expected: Found) -> None:
    for index in np.flatnonzero(expected.scores > 0.3):
        same = found.classes == expected.classes[index]
        assert overlaps(found.boxes[same], expected.boxes[index]).max(initial=0) > 0.7
    assert agreement.farthest_score(found, expected) <= SCORE


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="auto"),
        pytest.param({"engine": "openvino", "precision": "f32"}, id="openvino"),
        pytest.param({"engine": "onnx"}, id="onnx"),
    ],
)
def test_boxes_are_pytorchs(settings: dict[str, Any], load: Load) -> None:
    if "onnx" in settings.values():
        pytest.importorskip("onnx")
    images = drawn(24)
    founds, references = load(**settings).detect(images), load(engine="torch").detect(images)
    for found, expected in zip(founds, references, strict=True):
        assert_none_lost(found, expected)
        assert least_overlap(found, expected, sure=0.3) >= OVERLAP


def test_in_bf16_no_object_is_lost(load: Load) -> None:
    """As asked for: `auto` would not take it for this network. Of boxes of one object that are
    as sure but for rounding, either may stay.
    """
    if not loading._has_bf16():
        pytest.skip("This CPU has no bf16")
    images = drawn(12)
    fast, reference = load(precision="bf16"), load(engine="torch")
    assert fast.engine.name == "OpenVINO in bf16"
    for found, expected in zip(fast.detect(images), reference.detect(images), strict=True):
        for index in np.flatnonzero(expected.scores > 0.3):
            same = found.classes == expected.classes[index]
            assert overlaps(found.boxes[same], expected.boxes[index]).max(initial=0) > 0.9


def test_less_precision_needs_something_to_compare(load: Load) -> None:
    """Whether a network that finds nothing on the pictures could do with less is not known."""
    blank = load().reader
    nothing = Detector(load().kind, load().engine, Reader(blank.kind, 0.999, 0.7))
    with pytest.raises(ModelError, match="finds nothing"):
        agreement.check(nothing.detect, nothing.detect, agreement.SMALL_PART)
    agreement.check(nothing.detect, nothing.detect)


def test_half_precision_of_a_gpu_agrees() -> None:
    """On the CPU, which rounds alike."""
    ready, kind = network.load(STARTER, 0)
    half = Detector(kind, engines.Torch(ready, "cpu", half=True), Reader(kind, 0.1, 1.0, 10_000))
    ready, kind = network.load(STARTER, 0)
    single = Detector(kind, engines.Torch(ready, "cpu", half=False), Reader(kind, 0.1, 1.0, 10_000))
    images = drawn(6)
    for found, expected in zip(half.detect(images), single.detect(images), strict=True):
        assert_none_lost(found, expected)
        assert least_overlap(found, expected, sure=0.3) >= OVERLAP


def test_an_image_is_found_the_same_whatever_comes_with_it(load: Load) -> None:
    detector = load()
    images = drawn(9)
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        [alone] = detector.detect([image])
        assert np.array_equal(alone.boxes, found.boxes)
        assert np.array_equal(alone.scores, found.scores)


def test_images_of_one_shape_share_a_run_on_a_gpu() -> None:
    ready, kind = network.load(STARTER, 0)
    engine = engines.Torch(ready, "cpu", half=False)
    engine.together = 16
    shapes: list[tuple[int, ...]] = []
    run = engine.run
    engine.run = lambda pixels: shapes.append(pixels.shape) or run(pixels)  # type: ignore
    found = Detector(kind, engine, Reader(kind, 0.25, 0.7)).detect(drawn(8))
    assert sorted(shapes) == [
        (2, 128, 320, 3),
        (2, 256, 320, 3),
        (2, 320, 256, 3),
        (2, 320, 320, 3),
    ]
    assert len(found) == 8


def test_a_network_is_converted_once(load: Load, model_dir: Path, tmp_path: Path) -> None:
    def kept() -> Sequence[Path]:
        return sorted(tmp_path.glob("openvino/*"))

    load(engine="openvino", cache_dir=tmp_path)
    [first] = kept()
    made = (first / "model.xml").stat().st_mtime_ns
    load(engine="openvino", cache_dir=tmp_path, run=Run(image_size=160))
    assert kept() == [first]
    assert (first / "model.xml").stat().st_mtime_ns == made
    load(model_dir / "yolo11n.pt", engine="openvino", cache_dir=tmp_path)
    assert len(kept()) == 2


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch, model_dir: Path, cache_dir: Path) -> None:
    """What is converted says other things than the network."""
    ready, kind = network.load(model_dir / "yolov8n.pt", 0)
    other = converted.openvino_model(ready, kind, cache_dir / "other")
    monkeypatch.setattr(converted, "openvino_model", lambda *_: other)


def test_a_network_that_does_not_survive_runs_on_pytorch(
    wrong: None, load: Load, model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = load(model_dir / "yolo11n.pt")
    assert detector.engine.name == "PyTorch on cpu"
    assert "yolo11n.pt runs on PyTorch: its" in caplog.text


def test_an_engine_that_is_asked_for_is_not_replaced(
    wrong: None, load: Load, model_dir: Path
) -> None:
    with pytest.raises(ModelError, match=r"ENGINE=openvino cannot run yolo11n\.pt.*ENGINE=torch"):
        load(model_dir / "yolo11n.pt", engine="openvino")


def test_a_missing_package_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"ENGINE=onnx.*onnx, onnxruntime.*prelabel\[onnx\]"):
        load(engine="onnx")


def test_engine_and_device_that_do_not_go_together(load: Load) -> None:
    with pytest.raises(ModelError, match="ENGINE=openvino runs on the CPU, and DEVICE=cuda"):
        load(engine="openvino", device="cuda")


def test_the_log_says_what_runs(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "backends.detection.loading"):
        assert load(engine="torch").engine.name == "PyTorch on cpu"
    assert "shapes.pt runs on PyTorch on cpu" in caplog.text


@pytest.mark.parametrize("task", ["semantic"])
def test_other_tasks_are_refused(task: str, tmp_path: Path) -> None:
    from ultralytics import YOLO

    YOLO(f"yolo26n-{task[:3]}.yaml").save(tmp_path / "other.pt")
    with pytest.raises(ModelError, match=f"other.pt is a network for {task}"):
        network.load(tmp_path / "other.pt", 0)
