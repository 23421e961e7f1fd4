"""Grounding DINO on OpenVINO finds what it finds on PyTorch; what deviates is not used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection.open_vocabulary import grounding_openvino, grounding_outputs
from backends.detection.open_vocabulary.grounding_outputs import Outputs, describe_deviation
from backends.detection.open_vocabulary.word_model import WordModel, load_word_model
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.media.image import Image
from shared.results import ImageSize
from shared.settings import Settings
from tests.backends.detection.conftest import PICTURE
from tests.backends.detection.open_vocabulary.conftest import Model
from tests.backends.detection.open_vocabulary.test_agreement import WORDS

FAMILIES = ("grounding-dino", "mm-grounding-dino")
# Feature maps, with some of a single row or column.
SIZES = ((9, 13), (5, 7), (1, 3), (2, 1))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("grounding-cache")


def loaded(folder: Any, cache: Any, engine: str) -> WordModel:
    settings = Settings(model_dir=folder.parent, cache_dir=cache, engine=engine)
    return load_word_model(ModelSpec("detection", folder.name), settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_openvino_finds_the_boxes_of_pytorch(family: str, model: Model, cache: Any) -> None:
    converted, original = (loaded(model(family), cache, one) for one in ("openvino", "torch"))
    assert converted.describe_engine() == "OpenVINO in f32"
    assert original.describe_engine() == "PyTorch on cpu"
    narrow = np.ascontiguousarray(PICTURE[:, : PICTURE.shape[1] // 3])
    for image in (Image(PICTURE), Image(narrow)):
        found, expected = (
            one.finder.find([image, image], WORDS, 0.0) for one in (converted, original)
        )
        for one, other in zip(found, expected, strict=True):
            assert len(one.boxes) == len(other.boxes) > 2
            for box, score, word in zip(other.boxes, other.scores, other.classes, strict=True):
                near = np.abs(one.boxes - box).max(axis=1) <= 1
                near &= (np.abs(one.scores - score) <= 0.01) & (one.classes == word)
                assert near.any()


def test_a_conversion_is_made_once(model: Model, cache: Any) -> None:
    folder = model("grounding-dino")
    loaded(folder, cache, "openvino")
    [made] = (cache / "openvino").glob("detection-grounding-dino-*")
    before = {file: file.stat().st_mtime_ns for file in made.rglob("*.xml")}
    assert loaded(folder, cache, "auto").describe_engine() == "OpenVINO in f32"
    assert {file: file.stat().st_mtime_ns for file in made.rglob("*.xml")} == before
    assert len(before) == 2


def test_a_large_network_is_converted_in_a_process_of_its_own(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("converted in this process")

    monkeypatch.setattr(grounding_openvino, "MAX_NUMBERS_HERE", 0)
    monkeypatch.setattr(grounding_openvino.Conversion, "_convert", refuse)
    found = loaded(model("mm-grounding-dino"), tmp_path, "openvino")
    assert found.describe_engine() == "OpenVINO in f32"
    assert [path.suffix for path in (tmp_path / "openvino").glob("*/*.xml")] == [".xml"] * 2


def test_a_conversion_that_deviates_is_not_used(
    model: Model, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounding_outputs, "MAX_PIXELS", -1.0)
    folder = model("grounding-dino")
    made = loaded(folder, tmp_path, "auto").describe_engine()
    assert made.startswith("PyTorch on cpu: ")
    assert "objects differ from PyTorch's by more than -1 pixel or 0.01 of a score" in made
    with pytest.raises(ModelError, match=r"ENGINE=openvino cannot run .*ENGINE=torch runs it"):
        loaded(folder, tmp_path, "openvino")


def test_which_query_finds_an_object_does_not_matter() -> None:
    random, size = np.random.default_rng(0), ImageSize(100, 50)
    outputs = Outputs(random.uniform(0.3, 1, (1, 20, 3)), random.random((1, 20, 4)))
    turned = Outputs(outputs.scores[:, ::-1], outputs.boxes[:, ::-1])
    assert describe_deviation(turned, outputs, size) == ""
    moved = outputs.boxes.copy()
    moved[0, outputs.scores[0].max(axis=1).argmax(), 0] += 0.011  # 1.1 pixels
    assert describe_deviation(outputs._replace(boxes=moved), outputs, size).startswith("2 of 40")
    other = np.clip(outputs.scores - 0.011, 0, 1)
    assert describe_deviation(outputs._replace(scores=other), outputs, size) != ""


@pytest.mark.parametrize("coordinates", [2, 4])
def test_deformable_attention(model: Model, coordinates: int) -> None:
    """The sums of bags of pixels are what the library samples, at the edges and beyond, too."""
    import torch

    from backends.detection.open_vocabulary.grounding_attention import (
        DeformableAttention,
        level_table,
    )

    original = network_of(model).model.encoder.layers[0].deformable_layer.self_attn
    torch.nn.init.normal_(original.sampling_offsets.weight)  # a few pixels to all sides
    torch.nn.init.normal_(original.attention_weights.weight)
    pixels = sum(height * width for height, width in SIZES)
    image, queries = torch.randn(1, pixels, 32), torch.randn(1, 40, 32)
    places = torch.rand(40, coordinates) * 1.2 - 0.1
    expected, _ = original(
        queries,
        encoder_hidden_states=image,
        reference_points=places[None, :, None].expand(1, 40, len(SIZES), coordinates),
        spatial_shapes=torch.tensor(SIZES),
        spatial_shapes_list=list(SIZES),
    )
    levels = level_table(SIZES, original.n_heads, original.n_points)
    found, _ = DeformableAttention(original)(queries, image, places, levels)
    assert torch.allclose(found, expected, atol=1e-5, rtol=1e-4)


def test_fused_attention(model: Model) -> None:
    """What is multiplied in another order gives the same, in both directions."""
    import torch

    from backends.detection.open_vocabulary.grounding_attention import FusedAttention

    original = network_of(model).model.encoder.layers[0].fusion_layer.attn
    for name, parameter in original.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    image, text = torch.randn(1, 50, 32), torch.randn(1, 7, 32)
    expected, found = original(image, text), FusedAttention(original)(image, text)
    for (one, _), (other, _) in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def network_of(model: Model) -> Any:
    import torch
    from transformers import AutoModelForZeroShotObjectDetection

    torch.manual_seed(0)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(model("grounding-dino"))
    return network.eval().requires_grad_(False)
