"""Detectors of torchvision find the boxes that torchvision gives when it is called directly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.torchvision_detector import TorchvisionDetector
from backends.detection.model.detector import Thresholds
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings
from tests.backends.detection.box_models.conftest import Ask
from tests.backends.detection.conftest import PICTURE
from tests.backends.engine_conformance import EngineConformance

torchvision = pytest.importorskip("torchvision")

NAME, CLASSES = "ssdlite320_mobilenet_v3_large", ["__background__", "circle", "square", "triangle"]
OPTIONS = {"detections_per_img": 30}


def build(name: str = NAME, **options: Any) -> Any:
    import torch

    torch.manual_seed(0)
    build = torchvision.models.get_model
    return build(name, weights=None, weights_backbone=None, num_classes=len(CLASSES), **options)


def save_model(folder: Path, **changed: Any) -> Path:
    """Save a detector of random weights, as the README says."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(build(**OPTIONS).state_dict(), folder / "model.safetensors")
    config = {"torchvision": NAME, "classes": CLASSES, "options": OPTIONS, **changed}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def network(box_model_dir: Path) -> Path:
    """Return the folder of a detector in MODEL_DIR."""
    return save_model(box_model_dir / "ssdlite")


def by_torchvision(picture: Any) -> Any:
    import torch

    image = torch.from_numpy(picture.transpose(2, 0, 1).copy()).float() / 255
    with torch.inference_mode():
        [found] = build(**OPTIONS).eval()([image])
    return {key: values.numpy() for key, values in found.items()}


def test_boxes_are_those_of_the_library(network: Path) -> None:
    model = BoxModel(TorchvisionDetector.load(network, Settings()), Thresholds(min_score=0.0))
    [found] = model.detect([Image(PICTURE)])
    expected = by_torchvision(PICTURE)
    assert len(found) == len(expected["scores"]) >= 10
    np.testing.assert_allclose(found.scores, expected["scores"], atol=1e-5)
    np.testing.assert_allclose(found.boxes, expected["boxes"], atol=0.01)
    assert found.classes.tolist() == expected["labels"].tolist()


def test_regions_have_labels_by_the_numbers_of_classes(network: Path, ask: Ask) -> None:
    labels = "".join(f'<Label value="{name.title()}"/>' for name in CLASSES[1:])
    tag = f'<RectangleLabels name="box" toName="image" model_score_threshold="0.001">{labels}'
    results = ask("ssdlite", f"{tag}</RectangleLabels>")["result"]
    expected = by_torchvision(PICTURE)
    names = [CLASSES[number].title() for number in expected["labels"]]
    assert [one["value"]["rectanglelabels"][0] for one in results][:5] == names[:5]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"torchvision": "yolov3"}, r'"yolov3" is no detector of torchvision; it has .*ssdlite'),
        ({"classes": 4}, r'should list the classes by their numbers, as "classes": \["__back'),
        ({"options": {"num_classes": 4}}, r'ssdlite\w+ takes no such "options": .*num_classes'),
        ({"options": 4}, r'"options" of config\.json should be an object'),
        ({"classes": ["__background__", "a"]}, r"no weights of what config\.json names: .*size"),
    ],
    ids=["unknown", "no-classes", "wrong-option", "no-options", "other-classes"],
)
def test_a_wrong_description_says_what_is_wrong(
    changed: dict[str, Any], message: str, network: Path, tmp_path: Path
) -> None:
    config = json.loads((network / "config.json").read_text()) | changed
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(network / "model.safetensors")
    with pytest.raises(ModelError, match=message):
        TorchvisionDetector.load(tmp_path, Settings())


def test_pickled_weights_are_not_read(network: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((network / "config.json").read_bytes())
    (tmp_path / "model.pth").touch()
    with pytest.raises(ModelError, match=r"lacks model\.safetensors; it has .*model\.pth.*save_f"):
        TorchvisionDetector.load(tmp_path, Settings())


class TestConformance(EngineConformance):
    """The example of the backend by a detector of torchvision."""

    kind = DetectionBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        save_model(folder / "ssdlite")
        named = {"MODEL_DIR": str(folder), "DETECTION_MODEL": "ssdlite"}
        return {**named, "DETECTION_SCORE_THRESHOLD": "0.01"}
