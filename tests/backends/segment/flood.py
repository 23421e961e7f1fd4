"""A segmenter without weights: a click means all connected pixels of its colour, a box too.

Exact on pictures of plain colours, so that expected masks can be drawn by hand. It counts what it
is asked.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from backends.segment import SegmentBackend
from backends.segment.embedding_cache import EmbeddingCache
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.prompts import ObjectPrompt
from backends.segment.segmenter import Segmenter
from shared.backend import Control, ModelSpec, Pixels
from shared.results import ImageSize


class FloodModel:
    """See `PromptableModel`. `encoded` and `decoded` count images and prompts."""

    def __init__(self) -> None:
        self.encoded = self.decoded = 0

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        self.encoded += 1
        weights = np.array(
            [1, 7, 49], np.int32
        )  # of the few colours of these pictures each its own
        _, numbers = np.unique(image.astype(np.int32) @ weights, return_inverse=True)
        colours = numbers.reshape(image.shape[:2]).astype(np.float32)
        return Embedding({"colours": colours}, ImageSize(image.shape[1], image.shape[0]))

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        self.decoded += len(prompts)
        colours = embedding.arrays["colours"].astype(np.uint8)
        return [self._predict(colours, prompt) for prompt in prompts]

    def _predict(self, colours: Pixels, prompt: ObjectPrompt) -> MaskPrediction:
        mask = np.zeros(colours.shape, bool)
        if prompt.previous_logits is not None:
            mask |= prompt.previous_logits > 0
        if prompt.stroke is not None:
            for y, x in np.argwhere(prompt.stroke):
                mask |= _part(colours, int(x), int(y))
        if prompt.box is not None:
            box = prompt.box
            mask |= _part(colours, int((box.left + box.right) / 2), int((box.top + box.bottom) / 2))
        for point in prompt.points:
            part = _part(colours, int(point.x), int(point.y))
            mask = mask | part if point.is_positive else mask & ~part
        return MaskPrediction(mask, np.where(mask, 9, -9).astype(np.float32), 0.9)

    def describe_engine(self) -> str:
        return "flood fill"


def _part(colours: Pixels, x: int, y: int) -> np.ndarray:  # type: ignore[type-arg]
    """The pixels that are connected with one."""
    same = (colours == colours[y, x]).astype(np.uint8)
    _, numbers = cv2.connectedComponents(same, connectivity=4)
    return np.asarray(numbers == numbers[y, x])


class FloodBackend(SegmentBackend):
    """The backend with that model, which is `model`."""

    model = FloodModel()

    def weights(self, spec: ModelSpec) -> Sequence[Path]:
        return (Path(__file__),)

    def load(self, spec: ModelSpec) -> Segmenter:
        return Segmenter(self.model, self._kept.embeddings, self.weights_hash(spec))

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, "flood")


def memory_cache(folder: Path, memory_mb: float = 10, disk_mb: float = 0) -> EmbeddingCache:
    """A cache below a folder."""
    return EmbeddingCache(folder, int(memory_mb * 1e6), int(disk_mb * 1e6))
