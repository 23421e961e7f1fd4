"""Models are recognised by what is in their files, and those that take no prompts are refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends._inference.network_part import PartSource, load_part
from backends.segment.models import (
    fast_sam,
    loader,
    transformers_models,
    ultralytics_models,
)
from backends.segment.models.fast_sam import FastSamModel
from backends.segment.models.sam_model import SamModel
from backends.segment.prompts import Box, ObjectPrompt, Point
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings
from tests.backends.segment import small_networks


def load(model: str, folder: Path) -> Any:
    settings = Settings(model_dir=folder, cache_dir=folder / "cache", engine="torch")
    return loader.load_model(ModelSpec("segment", model), settings)


def test_a_folder_of_transformers_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small_networks.transformers_sam2().save_pretrained(tmp_path / "small-sam2")
    model = load("small-sam2", tmp_path)
    assert isinstance(model, SamModel)
    (found,) = model.decode(model.encode(np.zeros((40, 60, 3), np.uint8)), [CLICKED])
    assert found.mask.shape == (40, 60)


CLICKED = ObjectPrompt([Point(20, 20)])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "is a model of type bert, which takes no clicks or boxes"),
        ({}, "has no config.json with a model_type"),
        (None, "has no config.json with a model_type"),
    ],
    ids=["of texts", "without a type", "without a description"],
)
def test_a_folder_of_another_model_is_refused(
    tmp_path: Path, config: dict[str, str] | None, message: str
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        load("other", tmp_path)


@pytest.mark.parametrize(
    ("name", "builder", "is_sam2"),
    [("MobileSAM", "build_mobile_sam", False), ("SAM 2.1 tiny", "build_sam2_t", True)],
    ids=["MobileSAM", "SAM 2.1 tiny"],
)
def test_ultralytics_weights_are_told_by_their_shapes(
    name: str, builder: str, is_sam2: bool
) -> None:
    from ultralytics.models.sam import build

    # Without weights ("meta") it can only be built once transformers has been imported.
    state = getattr(build, builder)().state_dict()
    assert ultralytics_models.builder_of(state, name) == builder
    source = ultralytics_models.describe_weights(state, name, "key")
    assert (source.frame.side, source.mask_side, source.pads_boxes) == (1024, 256, is_sam2)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"head.weight": torch.zeros(2)}, "holds weights of no SAM, MobileSAM or SAM 2"),
        ([1, 2], "holds no named weights"),
    ],
    ids=["of another network", "no weights"],
)
def test_other_weights_are_refused(tmp_path: Path, saved: Any, message: str) -> None:
    torch.save(saved, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=message):
        load("other.pt", tmp_path)


def test_weights_that_lack_a_part_are_refused() -> None:
    from ultralytics.models.sam import build

    state = build.build_mobile_sam().state_dict()
    lacking = {key: value for key, value in state.items() if "mask_decoder" not in key}
    source = ultralytics_models.describe_weights(lacking, "mobile_sam.pt", "key")
    with pytest.raises(ModelError, match=r"mobile_sam.pt lacks \d+ weights, such as mask_decoder"):
        source.encoder.build()


@pytest.mark.parametrize("model", ["../elsewhere.pt", "/etc/passwd.pt"])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelError, match="is outside MODEL_DIR"):
        load(model, tmp_path)


def test_onnx_is_refused(tmp_path: Path) -> None:
    source = PartSource("mobile_sam.pt", torch.nn.Identity, list)
    with pytest.raises(ModelError, match=r"ENGINE=onnx: mobile_sam\.pt runs on openvino or torch"):
        load_part(source, Settings(cache_dir=tmp_path, engine="onnx"))


@pytest.fixture(scope="module")
def fast_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLO that segments, with random weights, saved as Ultralytics saves it."""
    from ultralytics import YOLO

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "FastSAM-tiny.pt"
    YOLO("yolov8n-seg.yaml").save(path)
    return path


def test_fast_sam_is_told_from_weights_alone(fast_weights: Path) -> None:
    assert ultralytics_models.read_weights(fast_weights) is None
    model = load(fast_weights.name, fast_weights.parent)
    assert isinstance(model, FastSamModel)
    assert model.describe_engine() == "PyTorch on cpu"


def test_a_detector_is_refused(tmp_path: Path) -> None:
    from ultralytics import YOLO

    YOLO("yolov8n.yaml").save(tmp_path / "boxes.pt")
    with pytest.raises(ModelError, match="is a network for detect, which makes no masks"):
        load("boxes.pt", tmp_path)


@pytest.mark.parametrize("kind", ["a click", "a negative click", "a box"])
def test_prompts_choose_of_fast_sam_what_the_library_chooses(
    fast_weights: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random weights are sure of nothing.
    monkeypatch.setattr(fast_sam, "MIN_SCORE", 0.0)
    monkeypatch.setattr(fast_sam, "IMAGE_SIZE", 128)
    model = load(fast_weights.name, fast_weights.parent)
    tiles = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    image = np.kron(tiles, np.ones((24, 24, 1), np.uint8))
    embedding = model.encode(image)
    asked: dict[str, Any] = {"points": [[30, 30]], "labels": [1]}
    prompt = ObjectPrompt([Point(30, 30)])
    if kind == "a negative click":  # where the fewest of the masks with the click are
        masks = fast_sam.unpack(embedding)
        counts = masks[masks[:, 30, 30]].sum(0)
        y, x = (int(v) for v in np.unravel_index(counts.argmin(), counts.shape))
        asked = {"points": [[30, 30], [x, y]], "labels": [1, 0]}
        prompt = ObjectPrompt([Point(30, 30), Point(x, y, is_positive=False)])
    elif kind == "a box":
        asked, prompt = {"bboxes": [[10, 10, 70, 60]]}, ObjectPrompt(box=Box(10, 10, 70, 60))
    (found,) = model.decode(embedding, [prompt])
    options = {"conf": 0.0, "imgsz": 128, "iou": 0.9, "retina_masks": True, "verbose": False}
    chosen = model.network.predict(image[..., ::-1].copy(), **options, **asked)[0]
    assert len(chosen) > 0  # else nothing is compared
    assert np.array_equal(found.mask, chosen.masks.data.numpy().any(0))


def test_every_type_has_its_class() -> None:
    import transformers

    for name in transformers_models.MODEL_CLASSES.values():
        assert hasattr(transformers, name)


def find(model: str, folder: Path) -> Any:
    settings = Settings(model_dir=folder, cache_dir=folder / "cache")
    return loader.find_weights(ModelSpec("segment", model), settings)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("sam2.1_t", "sam2.1_t.pt"), ("fastsam-s", "FastSAM-s.pt"), ("Starter", "starter")],
)
def test_a_published_name_without_its_ending_is_understood(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, meant: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=re.escape(f"MODEL_DIR. Did you mean {meant}?")):
        find(name, tmp_path)


def test_a_name_like_none_that_is_published_gets_no_suggestion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"into MODEL_DIR$"):
        find("facebook/sam2.1-hiera-tiny", tmp_path)
