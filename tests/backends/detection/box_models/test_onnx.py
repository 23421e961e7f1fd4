"""ONNX networks with MMDetection's outputs give the boxes that ONNX Runtime alone gives."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.image_steps import parse_steps, prepare_image
from backends.detection.box_models.onnx_detector import OnnxDetector
from backends.detection.model.detector import Thresholds
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.box_models.conftest import Ask
from tests.backends.detection.box_models.onnx_models import CLASSES, MEAN, STD, save_onnx
from tests.backends.detection.conftest import PICTURE
from tests.backends.engine_conformance import EngineConformance

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

BOXES = '<RectangleLabels name="box" toName="image" model_score_threshold="{}">' + "".join(
    f'<Label value="{name.title()}"/>' for name in CLASSES
)


@pytest.fixture(scope="session")
def network(box_model_dir: Path) -> Path:
    """Return the folder of a network in MODEL_DIR."""
    return save_onnx(box_model_dir / "mmdet")


def by_onnxruntime(file: Path, picture: Any) -> Any:
    """Prepare a picture as MMDetection's manual says; return boxes and scores (n, 5), and labels.

    A picture of 400 × 300 fits into 160 × 96 as 128 × 96, and one of 100 × 300 as 53 × 160.
    """
    height, width = picture.shape[:2]
    scaled = {(300, 400): (128, 96), (300, 100): (53, 160)}[height, width]
    small = cv2.resize(picture, scaled, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    filled = np.zeros((-(-scaled[1] // 32) * 32, -(-scaled[0] // 32) * 32, 3), np.float32)
    filled[: scaled[1], : scaled[0]] = (small - np.float32(MEAN)) / np.float32(STD)
    session = onnxruntime.InferenceSession(file)
    dets, labels = session.run(None, {"input": filled.transpose(2, 0, 1)[None]})
    ratio = np.array([scaled[0] / width, scaled[1] / height] * 2)
    dets[0, :, :4] = np.clip(dets[0, :, :4] / ratio, 0, [width, height] * 2)
    order = np.argsort(-dets[0, :, 4], kind="stable")
    return dets[0][order], labels[0][order]


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnx"])
def test_boxes_are_those_of_the_network(engine: str, network: Path) -> None:
    detector = OnnxDetector.load(network, Settings(engine=engine))
    assert detector.engine.startswith("ONNX Runtime" if engine == "onnx" else "OpenVINO")
    pictures = [PICTURE, np.ascontiguousarray(PICTURE[:, 100:200])]
    model = BoxModel(detector, Thresholds(min_score=0.0))
    for picture, found in zip(pictures, model.detect(list(map(Image, pictures))), strict=True):
        dets, labels = by_onnxruntime(network / "end2end.onnx", picture)
        assert len(found) == len(dets) >= 10
        np.testing.assert_allclose(found.boxes, dets[:, :4], atol=0.05)
        np.testing.assert_allclose(found.scores, dets[:, 4], atol=1e-3)
        assert found.classes.tolist() == labels.tolist()


def test_outputs_in_three_parts(tmp_path: Path, network: Path) -> None:
    """Boxes, scores and labels, as other exporters name them."""
    parts = OnnxDetector.load(save_onnx(tmp_path / "n", ("boxes", "scores", "labels")), Settings())
    [whole], [found] = (
        one.find([Image(PICTURE)], 0.0) for one in (OnnxDetector.load(network, Settings()), parts)
    )
    np.testing.assert_allclose(found.boxes, whole.boxes, atol=0.05)
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-3)


@pytest.mark.parametrize("model", ["mmdet", "mmdet/end2end.onnx"])
def test_regions_by_a_folder_or_a_file(model: str, network: Path, ask: Ask) -> None:
    """A file's own description is a .json of its name, with how images are prepared."""
    dets, labels = by_onnxruntime(network / "end2end.onnx", PICTURE)
    (network / "end2end.json").write_text((network / "config.json").read_text())
    [first, *_] = ask(model, BOXES.format(0.1) + "</RectangleLabels>")["result"]
    assert first["value"]["rectanglelabels"] == [CLASSES[labels[0]].title()]
    assert first["score"] == pytest.approx(dets[0, 4], abs=1e-3)
    assert first["value"]["x"] == pytest.approx(dets[0, 0] / 4, abs=0.05)


@pytest.mark.parametrize(
    ("transforms", "shape", "corner", "scale"),
    [
        ([{"type": "Resize", "size": [8, 4]}], (4, 8), 10, (2, 2)),
        ([{"type": "Resize", "size": 8, "keep_ratio": True}], (4, 8), 10, (2, 2)),
        ([{"type": "Pad", "size": [6, 5], "pad_val": {"img": [7, 8, 9]}}], (5, 6), 7, (1, 1)),
        ([{"type": "Pad", "size_divisor": 3, "pad_val": 114}], (3, 6), 114, (1, 1)),
        ([{"type": "Normalize", "mean": [0, 0, 10], "std": [1, 1, 2]}], (2, 4), 30, (1, 1)),
        (
            [{"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 2], "to_rgb": False}],
            (2, 4),
            10,
            (1, 1),
        ),
    ],
    ids=["stretched", "fitted", "filled", "multiple", "red-first", "blue-first"],
)
def test_steps(transforms: Any, shape: Any, corner: float, scale: Any) -> None:
    """On an image of 4 × 2 pixels, red 30, green 20, blue 10: the first plane of the last pixel."""
    image = np.tile(np.array([30, 20, 10], np.uint8), (2, 4, 1))
    pixels, found = prepare_image(parse_steps(transforms, "x"), image)
    assert pixels.shape == (1, 3, *shape)
    assert pixels[0, 0, -1, -1] == corner
    assert found == scale


def _write(name: str, content: Any) -> Any:
    def spoil(folder: Path) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text)

    return spoil


def _remove(*names: str) -> Any:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def _second_network(folder: Path) -> None:
    (folder / "other.onnx").touch()


def _other_outputs(folder: Path) -> None:
    save_onnx(folder, ("output0",))


TURNED = {"classes": ["a"], "transforms": [{"type": "RandomFlip"}]}
UNSPOKEN = {"classes": ["a"], "transforms": [{"type": "Normalize", "mean": [0, 0, 0]}]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_remove("config.json"), r'names of the classes of end2end\.onnx.*"classes" in config'),
        (_remove("pipeline.json"), r"how images are prepared for end2end.*pipeline\.json beside"),
        (_write("config.json", "classes: a"), r"config\.json beside .* is no JSON object"),
        (_write("config.json", TURNED), r"prepared by RandomFlip; supported: Resize, Pad, Norm"),
        (_write("config.json", UNSPOKEN), r"Normalize cannot be read \(KeyError: 'std'\)"),
        (_write("pipeline.json", {"pipeline": {}}), r'has 0 tasks with "transforms"'),
        (_write("end2end.onnx", "no network"), r"cannot run end2end\.onnx"),
        (_second_network, r"end2end\.onnx, other\.onnx.*expected: one file"),
        (_other_outputs, r"gives output0; expected: dets and labels.*loaded from its \.pt"),
    ],
    ids=[
        *("no-classes", "no-steps", "no-json", "unknown-step", "half-a-step", "no-tasks"),
        *("no-network", "two-networks", "other-outputs"),
    ],
)
def test_a_wrong_folder_says_what_it_lacks(spoil: Any, message: str, tmp_path: Path) -> None:
    folder = save_onnx(tmp_path / "network")
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        OnnxDetector.load(folder, Settings(engine="onnx"))


def test_pytorch_does_not_run_it(network: Path) -> None:
    with pytest.raises(ModelError, match="runs on openvino or onnx"):
        OnnxDetector.load(network, Settings(engine="torch"))


class TestConformance(EngineConformance):
    """The example of the backend by an ONNX network."""

    kind = DetectionBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        save_onnx(folder / "network")
        return {"MODEL_DIR": str(folder), "DETECTION_MODEL": "network", "ENGINE": "openvino"}
