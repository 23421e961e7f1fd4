"""Networks of every task have the same complete output on each engine as in PyTorch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.detection.model import loader, parity
from backends.detection.model.detections import Detections, Floats
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.model.masks import Mask
from backends.detection.model.postprocess import OutputDecoder
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.conftest import NETWORKS
from tests.backends.detection.test_engines import draw_images

ENGINES = ("openvino", "onnx")
MIN_SCORE = 0.3


def load_detector(weights: Path, engine: str, cache_dir: Path) -> Detector:
    """Load a network that keeps all boxes of an object: rounding decides which one NMS keeps."""
    settings = Settings(engine=engine, cache_dir=cache_dir, device="cpu")
    loaded = loader.load_detector(weights, RunOptions(), settings, "f32")
    assert loaded.engine.name == {"openvino": "OpenVINO in f32", "onnx": "ONNX Runtime"}.get(
        engine, "PyTorch on cpu"
    )
    return Detector(
        loaded.spec, loaded.engine, OutputDecoder(loaded.spec, MIN_SCORE / 2, 1.0, 10_000)
    )


def match_objects(found: Detections, expected: Detections) -> Iterator[tuple[int, int]]:
    """Yield PyTorch's objects with the nearest ones of their class from an engine."""
    for at in np.flatnonzero(expected.scores > MIN_SCORE):
        same = np.flatnonzero(found.classes == expected.classes[at])
        assert same.size, "an object is lost"
        boxes = 1 - parity.box_ious(found.boxes[same], expected.boxes[at])
        apart = boxes + np.abs(found.scores[same] - expected.scores[at])
        yield int(same[apart.argmin()]), int(at)


def assert_same(found: Detections, expected: Detections) -> int:
    """Compare all objects, and return how many there were."""
    count = 0
    for index, at in match_objects(found, expected):
        assert parity.box_ious(found.boxes[[index]], expected.boxes[at])[0] >= 0.98
        assert found.scores[index] == pytest.approx(expected.scores[at], abs=0.02)
        if expected.masks is not None and found.masks is not None:
            assert_same_mask(found.masks[index], expected.masks[at])
        if expected.keypoints is not None and found.keypoints is not None:
            apart = np.abs(found.keypoints[index] - expected.keypoints[at])
            assert apart[:, :2].max() <= 1
            assert apart[:, 2].max() <= 0.02
        if expected.oriented_boxes is not None and found.oriented_boxes is not None:
            apart = np.abs(
                corners(found.oriented_boxes[index]) - corners(expected.oriented_boxes[at])
            )
            assert apart.max() <= 1
        count += 1
    return count


def assert_same_mask(mask: Mask, expected: Mask) -> None:
    """Compare all but the pixels at the edge."""
    both, either = np.logical_and(mask, expected).sum(), np.logical_or(mask, expected).sum()
    assert both >= 0.98 * either - 8


def corners(box: Floats) -> Floats:
    x, y, width, height, turn = box
    across = np.array([np.cos(turn), np.sin(turn)]) * width / 2
    down = np.array([-np.sin(turn), np.cos(turn)]) * height / 2
    return np.array([x, y]) + np.array(
        [across + down, across - down, -across - down, down - across]
    )


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return draw_images(8)


@pytest.fixture(scope="module")
def references(
    model_dir: Path, cache_dir: Path, images: list[Image]
) -> dict[str, list[Detections]]:
    return {
        name: load_detector(model_dir / f"{name}.pt", "torch", cache_dir).detect(images)
        for name in NETWORKS
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_that_is_found_is_pytorchs(
    engine: str,
    name: str,
    model_dir: Path,
    cache_dir: Path,
    images: list[Image],
    references: dict[str, list[Detections]],
) -> None:
    if engine == "onnx":
        pytest.importorskip("onnx")
    fast = load_detector(model_dir / f"{name}.pt", engine, cache_dir)
    founds, count = fast.detect(images), 0
    for found, expected in zip(founds, references[name], strict=True):
        for part in ("oriented_boxes", "masks", "keypoints", "probabilities"):
            assert (getattr(found, part) is None) == (getattr(expected, part) is None)
        if expected.probabilities is not None and found.probabilities is not None:
            assert np.abs(found.probabilities - expected.probabilities).max() <= 0.02
            assert found.probabilities.argmax() == expected.probabilities.argmax()
            count += len(expected.class_names)
        count += assert_same(found, expected)
    assert count >= 20
