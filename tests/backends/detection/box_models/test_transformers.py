"""Detectors of transformers find what their own image processors say, when called by the manual."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.transformers_detector import TransformersDetector
from backends.detection.model import kinds
from backends.detection.model.detector import Thresholds
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.box_models.conftest import Ask, MakeModel
from tests.backends.detection.box_models.transformers_models import BUILDERS, save_detector
from tests.backends.detection.conftest import PICTURE
from tests.backends.engine_conformance import EngineConformance

HEIGHT, WIDTH = PICTURE.shape[:2]
LABELS = "".join(f'<Label value="{name}"/>' for name in ("Circle", "Square", "Triangle"))
BOXES = '<RectangleLabels name="box" toName="image" model_score_threshold="{}">' + LABELS
BOXES += "</RectangleLabels>"


class Found(NamedTuple):
    """Boxes in pixels, scores and numbers of classes, as the library gives them."""

    boxes: Any
    scores: Any
    classes: Any


def by_transformers(folder: Path, picture: Any, min_score: float) -> Found:
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    processor = AutoImageProcessor.from_pretrained(folder)
    network = AutoModelForObjectDetection.from_pretrained(folder).eval()
    with torch.inference_mode():
        outputs = network(**processor(images=picture, return_tensors="pt"))
    [found] = processor.post_process_object_detection(
        outputs, threshold=min_score, target_sizes=[picture.shape[:2]]
    )
    order = np.argsort(-found["scores"].numpy(), kind="stable")
    return Found(*(found[key].numpy()[order] for key in ("boxes", "scores", "labels")))


@pytest.mark.parametrize("family", BUILDERS)
def test_boxes_are_those_of_the_library(family: str, make_detector: MakeModel) -> None:
    folder = make_detector(family)
    model = BoxModel(TransformersDetector.load(folder, Settings())).with_thresholds(
        Thresholds(min_score=0.1)
    )
    pictures = [PICTURE, PICTURE[:200, :120]]
    detections = model.detect([Image(picture) for picture in pictures])
    for picture, found in zip(pictures, detections, strict=True):
        expected = by_transformers(folder, picture, 0.1)
        edges = np.array([picture.shape[1], picture.shape[0]] * 2)
        assert len(found) == len(expected.scores) >= 3
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes, np.clip(expected.boxes, 0, edges), atol=0.05)
        assert found.classes.tolist() == expected.classes.tolist()


def test_regions_are_the_boxes_with_labels(make_detector: MakeModel, ask: Ask) -> None:
    """From a label config to Label Studio's percent, with the labels' names for the classes."""
    expected = by_transformers(make_detector("d_fine"), PICTURE, 0.5)
    results = ask("d_fine", BOXES.format(0.5))["result"]
    assert len(results) == len(expected.scores) >= 3
    names = ["Circle", "Square", "Triangle"]
    for result, box, score, number in zip(results, *expected, strict=True):
        value = result["value"]
        assert value["rectanglelabels"] == [names[number]]
        assert result["score"] == pytest.approx(score, abs=1e-3)
        assert value["x"] == pytest.approx(max(box[0], 0) / WIDTH * 100, abs=0.05)
        assert value["height"] == pytest.approx(
            (min(box[3], HEIGHT) - max(box[1], 0)) / HEIGHT * 100, abs=0.05
        )


def test_choices_are_the_classes_that_are_there(make_detector: MakeModel, ask: Ask) -> None:
    folder = make_detector("d_fine")
    best = by_transformers(folder, PICTURE, 0.1)
    tags = '<Choices name="what" toName="image"><Choice value="Circle"/><Choice value="Square"/>'
    [result] = ask("d_fine", f'{tags}<Choice value="Triangle"/></Choices>')["result"]
    name = ["Circle", "Square", "Triangle"][best.classes[0]]
    assert result["value"]["choices"] == [name]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("yolo26n.pt", "ultralytics"),
        ("starter", "ultralytics"),
        ("PekingU/rtdetr_v2_r50vd", "transformers"),
        ("ustc-community/dfine-small-coco", "transformers"),
        ("facebook/detr-resnet-50", "transformers"),
        ("hustvl/yolos-tiny", "transformers"),
        ("PaddlePaddle/PP-DocLayoutV2_safetensors", "transformers"),
        ("IDEA-Research/grounding-dino-tiny", "words"),
        ("google/owlv2-base-patch16-ensemble", "words"),
        ("facebook/sam3", "words"),
        ("helmets.onnx", "onnx"),
        ("sub/helmets.pt", "ultralytics"),
        ("/somewhere/helmets.pt", "ultralytics"),
    ],
)
def test_names_tell_who_reads_a_model(model: str, kind: str, tmp_path: Path) -> None:
    settings = Settings(model_dir=tmp_path, cache_dir=tmp_path)
    assert kinds.find_kind(model, settings) == kind


def test_files_tell_more_than_names(tmp_path: Path) -> None:
    """A folder's own config.json decides, whatever it is called; so does the hub's cache."""
    settings = Settings(model_dir=tmp_path, cache_dir=tmp_path / "cache")
    named_detr = tmp_path / "owner" / "my-detr"
    named_detr.mkdir(parents=True)
    (named_detr / "config.json").write_text('{"model_type": "owlv2"}')
    assert kinds.find_kind("owner/my-detr", settings) == "words"
    snapshot = tmp_path / "cache/huggingface/models--owner--helmets"
    (snapshot / "snapshots/1").mkdir(parents=True)
    (snapshot / "refs").mkdir()
    (snapshot / "refs/main").write_text("1")
    (snapshot / "snapshots/1/config.json").write_text('{"model_type": "yolos"}')
    assert kinds.find_kind("owner/helmets", settings) == "transformers"


def _no_detector(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')


def _no_weights(folder: Path) -> None:
    save_detector("yolos", folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _no_processor(folder: Path) -> None:
    save_detector("yolos", folder)
    (folder / "preprocessor_config.json").unlink()


def _no_json(folder: Path) -> None:
    (folder / "config.json").write_text("model_type: yolos")


def _no_model(folder: Path) -> None:
    (folder / "weights.bin").touch()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_detector, r'wrong is a model of the type "bert".*supported: .*d_fine.*owlv2'),
        (_no_weights, r"wrong lacks model\.safetensors.*it has .*pytorch_model\.bin"),
        (_no_processor, r"wrong lacks preprocessor_config\.json.*AutoModelForObjectDetection"),
        (_no_json, r"wrong: config\.json is missing or no JSON"),
        (_no_model, r"wrong is a folder with weights\.bin; expected: config\.json and model"),
    ],
    ids=["no-detector", "no-weights", "no-processor", "no-json", "no-model"],
)
def test_a_wrong_folder_says_what_it_has(
    spoil: Any, message: str, ask: Ask, box_model_dir: Path
) -> None:
    folder = box_model_dir / "wrong"
    folder.mkdir()
    try:
        spoil(folder)
        with pytest.raises(ModelError, match=message):
            ask("wrong", BOXES.format(0.5))
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_a_model_of_words_is_not_for_videos() -> None:
    from shared.backend.claim import ModelSpec

    with pytest.raises(ModelError, match="on images alone: no videos"):
        DetectionBackend()._load_network(ModelSpec("detection", "google/owlv2-base-patch16"))


class TestConformance(EngineConformance):
    """The example of the backend by a detector of transformers."""

    kind = DetectionBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        save_detector("yolos", folder / "yolos")
        named = {"MODEL_DIR": str(folder), "DETECTION_MODEL": "yolos"}
        return {**named, "DETECTION_SCORE_THRESHOLD": "0.1"}
