"""Vectors of images, for `prelabel next --strategy diverse`: equal on each engine that has them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

pytest.importorskip("ultralytics")

from backends.detection import DetectionBackend
from backends.detection.inputs.image_list import ImageDetector, ImageView, ListedImage
from backends.detection.model import loader, weights
from backends.detection.model.detector import Detector, RunOptions, Thresholds
from backends.detection.model.engines import OnnxEngine, TorchEngine
from backends.detection.starter.shapes import draw_picture
from shared.evaluation.labeling_order.k_centre import order_by_k_centre
from shared.media.image import Image
from shared.settings import Settings

PICTURES = 20


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    """Different pictures, and after them a near-duplicate of each: cropped, darker, as JPEG."""
    drawn = [
        draw_picture(np.random.default_rng((7, n)), (240, 180), style="clean", count=4).image
        for n in range(PICTURES)
    ]
    return [Image(np.ascontiguousarray(one)) for one in (*drawn, *map(near_duplicate, drawn))]


def near_duplicate(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Pillow.fromarray(np.maximum(pixels, 8) - 8).crop((2, 1, 238, 178)).save(file, "JPEG")
    return np.asarray(Pillow.open(file))


def load(engine: str, cache_dir: Path) -> Detector:
    settings = Settings(device="cpu", engine=engine, cache_dir=cache_dir)
    path = weights.find_weights("starter", settings)
    return loader.load_detector(path, RunOptions(), settings, "f32")


@pytest.mark.slow
def test_engines_give_the_same_features(pictures: list[Image], cache_dir: Path) -> None:
    expected = load("torch", cache_dir).embed(pictures[:4])
    found = load("openvino", cache_dir).embed(pictures[:4])
    assert expected is not None
    assert found is not None
    assert expected.shape[0] == 4
    assert np.abs(expected - found).max() < 1e-3


def test_an_engine_that_gives_the_outputs_alone(
    pictures: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as ONNX Runtime: what is in the picture and what is found takes their place."""
    detector = ImageDetector(load("torch", tmp_path))
    monkeypatch.setattr(TorchEngine, "pool_features", OnnxEngine.pool_features)
    views = [ImageView(picture, Thresholds()) for picture in pictures[:2]]
    vectors = DetectionBackend().embed(detector, views, [])
    assert vectors.shape[0] == 2
    assert np.linalg.norm(vectors[0] - vectors[1]) > 0.1


def test_near_duplicates_come_last(pictures: list[Image], tmp_path: Path) -> None:
    detector = ImageDetector(load("torch", tmp_path))
    views = [ImageView(picture, Thresholds()) for picture in pictures]
    vectors = DetectionBackend().embed(detector, views, [])
    order = order_by_k_centre(vectors, vectors[:0], len(vectors)).places[:PICTURES]
    assert len({place % PICTURES for place in order.tolist()}) == PICTURES


def test_images_of_a_list_are_decoded(pictures: list[Image], tmp_path: Path) -> None:
    file = io.BytesIO()
    Pillow.fromarray(pictures[0].pixels).save(file, "PNG")
    detector = ImageDetector(load("torch", tmp_path))
    listed = ImageView(ListedImage(file.getvalue(), 0, 100), Thresholds())
    found, expected = detector.embed([listed, ImageView(pictures[0], Thresholds())])
    assert np.abs(found - expected).max() < 1e-6
