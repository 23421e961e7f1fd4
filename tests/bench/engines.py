"""Engines of other libraries beside these, called directly: python -m tests.bench.engines

Small models that are made here, or come in a package, in this process: what our batches, windows
and regions' data cost or save. Networks have random weights; their values change no time.
"""

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.onnx_detector import OnnxDetector
from backends.detection.box_models.torchvision_detector import TorchvisionDetector
from backends.detection.box_models.transformers_detector import TransformersDetector
from backends.detection.starter.shapes import draw_picture
from backends.ner.spacy_pipeline import SpacyPipeline
from backends.ocr.engines.document_layout import LayoutEngine
from backends.ocr.engines.easyocr import EasyOcrEngine
from backends.ocr.engines.rapidocr import RapidOcrEngine, find_weights
from backends.text_classification.sequence_classifier import ClassifierInput
from backends.text_classification.sklearn_pipeline import SklearnPipeline
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.box_models.onnx_models import save_onnx
from tests.backends.detection.box_models.test_torchvision import save_model
from tests.backends.detection.box_models.transformers_models import save_detector
from tests.backends.ner.spacy_models import sample, save_pipeline
from tests.backends.ocr.drawing import page
from tests.backends.ocr.easyocr_weights import publish, save_weights
from tests.backends.text_classification.test_sklearn import logistic, pipeline_of
from tests.backends.text_classification.test_sklearn import save as save_sklearn
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized

ROUNDS = 3
SIDES = 640, 480


def rows(size: Size = "whole") -> Iterator[Row]:
    """Items a second of each engine, in turns with its library."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from entities(folder, size)
        yield from classes(folder, size)
        yield from boxes(folder, size)
        yield from layout(size)
        yield from lines(folder, size)
        if size != "smallest":  # its random weights take seconds
            yield from read_by_easyocr(folder, size)


def compared(
    name: str, unit: str, count: int, size: Size, ours: Callable[[], Any], theirs: Callable[[], Any]
) -> Row:
    figures = in_turns(
        sized(size, ROUNDS, 1, 1), lambda: rate(count, ours), lambda: rate(count, theirs)
    )
    return Row(name, unit, figures[0], figures[1], "the library alone")


def entities(folder: Path, size: Size) -> Iterator[Row]:
    import spacy

    path = save_pipeline("tagger-ner", folder / "spacy")
    draw, count = random.Random(2), sized(size, 2000, 500, 20)
    texts = [" ".join(sample(draw)[0] for _ in range(5)) for _ in range(count)]
    own, nlp = SpacyPipeline.load(path, Settings()), spacy.load(path)
    yield compared(
        f"spaCy: entities in {count:,} texts of 40 words", "texts/s", count, size,
        lambda: own.find_entities(texts),
        lambda: [[(e.start_char, e.end_char, e.label_) for e in nlp(t).ents] for t in texts],
    )  # fmt: skip


def classes(folder: Path, size: Size) -> Iterator[Row]:
    pipeline = pipeline_of(logistic())
    own = SklearnPipeline.load(save_sklearn(folder, pipeline), Settings())
    draw, count = random.Random(3), sized(size, 20_000, 5000, 100)
    texts = [sample(draw)[0] for _ in range(count)]
    inputs = [ClassifierInput(text, (), "") for text in texts]
    yield compared(
        f"scikit-learn: classes of {count:,} texts", "texts/s", count, size,
        lambda: own.classify(inputs), lambda: pipeline.predict_proba(texts),
    )  # fmt: skip


def boxes(folder: Path, size: Size) -> Iterator[Row]:
    draw, count = np.random.default_rng(4), sized(size, 64, 16, 1)
    pictures = [draw_picture(draw, SIDES, "clean", 6).image for _ in range(count)]
    images = [Image(picture) for picture in pictures]
    families = sized(size, ("rt_detr", "d_fine", "yolos"), ("rt_detr",), ("yolos",))
    for family in families:
        path = save_detector(family, folder / family)
        own = BoxModel(TransformersDetector.load(path, Settings()))
        yield compared(
            f"transformers, a small {family}: {count} images", "images/s", count, size,
            lambda own=own: own.detect(images), called(path, pictures),
        )  # fmt: skip
    yield from exported(folder, size, images)


def called(path: Path, pictures: Sequence[Any]) -> Callable[[], Any]:
    """As the manual calls a detector of transformers, loaded once."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    processor = AutoImageProcessor.from_pretrained(path)
    network = AutoModelForObjectDetection.from_pretrained(path).eval()

    def call() -> None:
        for picture in pictures:
            with torch.inference_mode():
                outputs = network(**processor(images=picture, return_tensors="pt"))
            processor.post_process_object_detection(outputs, 0.1, [picture.shape[:2]])

    return call


def exported(folder: Path, size: Size, images: Sequence[Image]) -> Iterator[Row]:
    """An ONNX network beside ONNX Runtime, and a detector of torchvision by itself."""
    network, count = save_onnx(folder / "mmdet"), len(images)
    models = {
        engine: BoxModel(OnnxDetector.load(network, Settings(engine=engine)))
        for engine in ("openvino", "onnx")
    }
    figures = in_turns(
        sized(size, ROUNDS, 1, 1),
        lambda: rate(count, lambda: models["openvino"].detect(images)),
        lambda: rate(count, lambda: models["onnx"].detect(images)),
    )
    yield Row(f"An ONNX network: {count} images", "images/s", *figures, "on ONNX Runtime")
    if size != "smallest":  # its random weights take seconds
        own = TorchvisionDetector.load(save_model(folder / "ssdlite"), Settings())
        yield compared(
            f"torchvision, SSDlite: {count} images", "images/s", count, size,
            lambda: BoxModel(own).detect(images), alone(own, images),
        )  # fmt: skip


def alone(own: TorchvisionDetector, images: Sequence[Image]) -> Callable[[], Any]:
    """As the manual calls a detector of torchvision."""
    import torch

    def call() -> None:
        for image in images:
            pixels = torch.from_numpy(image.pixels.transpose(2, 0, 1).copy()).float() / 255
            with torch.inference_mode():
                own.network([pixels])

    return call


def layout(size: Size) -> Iterator[Row]:
    from rapid_layout import RapidLayout

    count = sized(size, 12, 4, 1)
    pages = [np.array(page(seed, lines=20).image) for seed in range(count)]
    images, library = [Image(pixels) for pixels in pages], RapidLayout()
    own = LayoutEngine("pp_layout_cdla", Settings())
    yield compared(
        f"rapid-layout: {count} pages", "pages/s", count, size,
        lambda: own.read_pages(images), lambda: [library(pixels) for pixels in pages],
    )  # fmt: skip


def lines(folder: Path, size: Size) -> Iterator[Row]:
    """Networks of PP-OCR in a folder, beside RapidOCR with the same files."""
    from rapidocr import RapidOCR

    own = folder / "ppocr"
    own.mkdir()
    detector, _, recognizer = find_weights()
    for path in (detector, recognizer):
        (own / path.name).symlink_to(path)
    paths = find_weights("ppocr", Settings(model_dir=folder))
    files = {f"{part}.model_path": str(paths[n]) for n, part in enumerate(("Det", "Cls", "Rec"))}
    library = RapidOCR(params={"Global.log_level": "error", **files})
    count = sized(size, 12, 4, 1)
    pages = [np.array(page(seed, lines=sized(size, 20, 20, 2)).image) for seed in range(count)]
    images, engine = [Image(pixels) for pixels in pages], RapidOcrEngine("auto", "", paths)
    yield compared(
        f"PP-OCR in a folder: {count} pages", "pages/s", count, size,
        lambda: engine.read_pages(images), lambda: [library(pixels) for pixels in pages],
    )  # fmt: skip


def read_by_easyocr(folder: Path, size: Size) -> Iterator[Row]:
    """EasyOCR, with weights that find each line and read it arbitrarily."""
    import easyocr

    weights = save_weights(folder / "easyocr")
    count = sized(size, 6, 2, 1)
    pages = [page(seed, lines=6, size=12).image for seed in range(count)]
    files = [folder / f"{number}.png" for number in range(count)]
    for drawn, file in zip(pages, files, strict=True):
        drawn.save(file)
    images = [Image(np.array(drawn)) for drawn in pages]
    with pytest.MonkeyPatch.context() as patch:
        publish(weights, patch)
        engine = EasyOcrEngine("en", Settings(model_dir=weights, cache_dir=folder))
        library = easyocr.Reader(
            ["en"], gpu=False, model_storage_directory=str(weights), download_enabled=False
        )
        yield compared(
            f"EasyOCR: {count} pages of a few lines", "pages/s", count, size,
            lambda: engine.read_pages(images),
            lambda: [library.readtext(str(file)) for file in files],
        )  # fmt: skip


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
