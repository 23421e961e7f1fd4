"""YOLO-World on OpenVINO finds what it finds on PyTorch, whatever other threads ask it for."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from backends.detection import DetectionBackend
from backends.detection.inputs.image_list import ImageDetections, ImageDetector, ImageView
from backends.detection.model import loader
from backends.detection.model.detector import RunOptions, Thresholds
from backends.detection.starter.shapes import draw_picture
from shared.backend.claim import ModelSpec
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.open_vocabulary.conftest import Model
from tests.backends.detection.open_vocabulary.word_networks import STORED_WORDS

SIZE = (160, 120)
ASKED = (STORED_WORDS, STORED_WORDS[:1], STORED_WORDS[1:], STORED_WORDS[::-1])


def test_threads_find_words_beside_each_other(model: Model, cache_dir: Path) -> None:
    def load(engine: str) -> ImageDetector:
        settings = Settings(cache_dir=cache_dir, engine=engine)
        path = model("yolov8n-worldv2")
        return ImageDetector(loader.load_detector(path, RunOptions(), settings, "f32"))

    converted, original = load("openvino"), load("torch")
    lanes = DetectionBackend().batch_lanes(ModelSpec("detection", "words"), converted)
    assert lanes.max_items == 1
    assert lanes.threads > 1
    random = np.random.default_rng(0)
    images = [Image(draw_picture(random, SIZE, "clean", 4).image) for _ in range(3)]
    thresholds = Thresholds(min_score=0.2)
    views = [ImageView(image, thresholds, words) for image in images for words in ASKED]
    with ThreadPoolExecutor(lanes.threads) as threads:
        together = threads.map(lambda view: converted.infer([view])[0], views)
        for found, expected in zip(together, original.infer(views), strict=True):
            assert isinstance(found, ImageDetections)
            assert isinstance(expected, ImageDetections)
            one, other = found.detections, expected.detections
            assert one.class_names == other.class_names
            assert len(one.boxes) == len(other.boxes) > 0
            assert np.allclose(one.boxes, other.boxes, atol=1)
            assert np.allclose(one.scores, other.scores, atol=0.01)
            assert np.array_equal(one.classes, other.classes)
