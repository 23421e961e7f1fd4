"""A SAM of each family gives the masks that its own library gives."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch

from backends._inference.network_part import Arrays, Part
from backends.segment.models import transformers_models, ultralytics_models
from backends.segment.models.sam_model import SamModel, SamSource
from backends.segment.prompts import Box, ObjectPrompt, Point
from shared.settings import Settings
from tests.backends.segment import library_masks, small_networks
from tests.backends.segment.library_masks import Predict
from tests.backends.segment.small_networks import SAM3_SIDE, SIDE

CLICK = Point(40, 50)
BOX = Box(20, 30, 120, 140)
PROMPTS = {
    "a click": [ObjectPrompt([CLICK])],
    "clicks, one of them negative": [
        ObjectPrompt([CLICK, Point(60.5, 80), Point(100, 20, is_positive=False)])
    ],
    "a box": [ObjectPrompt(box=BOX)],
    "a box and a negative click": [ObjectPrompt([Point(90, 90, is_positive=False)], BOX)],
    "several objects": [ObjectPrompt(box=BOX), ObjectPrompt(box=Box(5, 5, 60, 60))],
}
FAMILIES = (
    *("ultralytics_sam", "ultralytics_sam2", "transformers_sam", "transformers_sam_hq"),
    *("transformers_sam2", "transformers_sam3"),
)


def draw_tiles() -> Any:
    """Return coloured tiles, 190 × 150: no multiple of anything."""
    tiles = np.random.default_rng(0).integers(0, 255, (6, 8, 3))
    return np.kron(tiles, np.ones((25, 25, 1), np.int64)).astype(np.uint8)[:150, :190]


def processor_of(family: str) -> Any:
    import transformers
    from transformers.models.sam.image_processing_sam import SamImageProcessor

    if family in {"transformers_sam", "transformers_sam_hq"}:
        images = SamImageProcessor(
            size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
        )
        names = {"transformers_sam": "SamProcessor", "transformers_sam_hq": "SamHQProcessor"}
        return getattr(transformers, names[family])(images)
    side = SIDE if family == "transformers_sam2" else SAM3_SIDE
    size = {"height": side, "width": side}
    if family == "transformers_sam2":
        images = transformers.Sam2ImageProcessor(size=size)
        return transformers.Sam2Processor(images, target_size=side)
    images = transformers.Sam3ImageProcessor(size=size)
    return transformers.Sam3TrackerProcessor(images, target_size=side)


def build_family(name: str) -> tuple[SamSource, Predict]:
    """Return a network with random weights as we load it, and its library's own way."""
    torch.manual_seed(1)
    network = getattr(small_networks, name)().eval()
    key = f"random-{name}"
    if name.startswith("ultralytics"):
        is_sam2 = name.endswith("2")
        source = ultralytics_models.describe_network(lambda: network, SIDE, is_sam2, key)
        return source, library_masks.by_ultralytics(network, SIDE)
    source = transformers_models.describe_network(network.config, lambda: network, key)
    return source, library_masks.by_transformers(network, processor_of(name))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> tuple[SamSource, Predict]:
    return build_family(request.param)


@pytest.fixture(scope="module")
def ours(family: tuple[SamSource, Predict]) -> SamModel:
    return SamModel.load(family[0], Settings(engine="torch"))


@pytest.mark.parametrize("prompts", PROMPTS.values(), ids=PROMPTS)
def test_masks_are_the_librarys_own(family: Any, ours: SamModel, prompts: Any) -> None:
    image = draw_tiles()
    several = prompts is PROMPTS["a click"]
    masks, scores = family[1](image, prompts, several)
    found = ours.decode(ours.encode(image), prompts)
    for prediction, choices, chances in zip(found, masks, scores, strict=True):
        best = choices[int(chances.argmax())]
        assert 0.001 < best.mean() < 0.999  # else nothing is compared
        union = (prediction.mask | best).sum()
        assert (prediction.mask & best).sum() / union >= 0.999
        assert prediction.score == pytest.approx(np.clip(chances.max(), 0, 1), abs=1e-4)


def test_an_earlier_mask_is_refined(ours: SamModel) -> None:
    embedding = ours.encode(draw_tiles())
    clicked = ObjectPrompt([CLICK, Point(60, 80)])
    (first,) = ours.decode(embedding, [clicked])
    (same,) = ours.decode(embedding, [clicked])
    (refined,) = ours.decode(embedding, [clicked.refining(first.logits)])
    assert np.array_equal(first.logits, same.logits)
    assert refined.logits.shape == first.logits.shape
    assert not np.array_equal(refined.logits, first.logits)


@pytest.mark.parametrize("name", [name for name in FAMILIES if not name.endswith("hq")])
def test_an_earlier_mask_counts_as_in_the_library(name: str) -> None:
    torch.manual_seed(1)
    network = getattr(small_networks, name)().eval()
    source, _ = build_family(name)  # the same seed
    model = SamModel.load(source, Settings(engine="torch"))
    embedding = model.encode(draw_tiles())
    side = model.mask_side
    earlier = np.random.default_rng(0).normal(0, 4, (side, side)).astype(np.float32)
    (found,) = model.decode(embedding, [ObjectPrompt([CLICK]).refining(earlier)])
    placed = model.frame.place_points(np.array([[[CLICK.x, CLICK.y]]], np.float32), embedding.size)
    with torch.no_grad():
        prepared = torch.from_numpy(model.frame.prepare(draw_tiles()))
        features = [one.numpy() for one in source.encoder.build().encoder(prepared)]
    logits, scores = library_masks.refine(network, features, placed, earlier[None, None])
    assert np.abs(found.logits - logits[0, 0]).max() < 1e-3 * np.abs(logits).max()
    assert found.score == pytest.approx(np.clip(scores[0, 0], 0, 1), abs=1e-4)


class CountedPart:
    """A part that counts its runs."""

    def __init__(self, part: Part) -> None:
        self._part, self.name, self.runs = part, part.name, 0

    def run(self, inputs: Sequence[Any], leaves_core: bool = False) -> Arrays:
        self.runs += 1
        return self._part.run(inputs, leaves_core)


def test_what_depends_on_the_image_alone_is_made_once() -> None:
    loaded = SamModel.load(build_family("ultralytics_sam2")[0], Settings(engine="torch"))
    assert loaded.projection is not None
    counted = CountedPart(loaded.projection)
    model = replace(loaded, projection=counted, kept=WeakKeyDictionary())
    embedding = model.encode(draw_tiles())
    for prompts in PROMPTS.values():
        model.decode(embedding, prompts)
    assert counted.runs == 1
    assert len(model.kept) == 1
    del embedding
    gc.collect()
    assert len(model.kept) == 0


def test_one_object_is_what_it_is_among_others(ours: SamModel) -> None:
    embedding = ours.encode(draw_tiles())
    mixed = [prompts[0] for prompts in PROMPTS.values()]
    together = ours.decode(embedding, mixed)
    for prompt, prediction in zip(mixed, together, strict=True):
        (alone,) = ours.decode(embedding, [prompt])
        assert np.abs(alone.logits - prediction.logits).max() < 1e-3


def test_openvino_gives_what_pytorch_gives(tmp_path: Path) -> None:
    # One family is enough for CI: `tests.bench segment` compares real sizes of two.
    source, _ = build_family("ultralytics_sam2")
    exact = SamModel.load(source, Settings(engine="torch"))
    converted = SamModel.load(source, Settings(engine="openvino", cache_dir=tmp_path))
    assert converted.describe_engine() == "OpenVINO in f32"
    image = draw_tiles()
    for prompts in PROMPTS.values():
        expected = exact.decode(exact.encode(image), prompts)
        found = converted.decode(converted.encode(image), prompts)
        for one, other in zip(found, expected, strict=True):
            assert (one.mask & other.mask).sum() / (one.mask | other.mask).sum() >= 0.999
