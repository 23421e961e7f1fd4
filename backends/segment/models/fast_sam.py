"""FastSAM: finds the masks of all objects once; prompts choose among them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._inference.device import choose_torch_device
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.models.strokes import all_points
from backends.segment.prompts import BinaryMask, Box, ObjectPrompt, Point
from shared.errors import ModelError
from shared.media.image import Pixels
from shared.results import ImageSize
from shared.settings import Settings

# As FastSAM's authors run it.
IMAGE_SIZE, MIN_SCORE, IOU = 1024, 0.4, 0.9
# `logits` of a mask are those of every so many pixels: the model makes nothing of them.
LOGITS_STEP = 4


@dataclass(frozen=True)
class FastSamModel:
    """A network that segments everything, run by Ultralytics' predictor. See `PromptableModel`."""

    network: Any
    device: str
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path, settings: Settings) -> "FastSamModel":
        """Load a file of Ultralytics, which can contain code; ModelError if it is another one."""
        from ultralytics import FastSAM

        try:
            network = FastSAM(path)
        except Exception as error:  # Ultralytics raises many kinds
            raise ModelError(f"{path.name} is no model of Ultralytics: {error}") from error
        if getattr(network.model, "task", "") != "segment":
            task = getattr(network.model, "task", "unknown")
            raise ModelError(
                f"{path.name} is a network for {task}, which makes no masks; supported: SAM,"
                " MobileSAM, SAM 2, FastSAM and other networks that segment"
            )
        return cls(network, choose_torch_device(settings))

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        """Return all masks, as packed bits, and their scores; on all cores."""
        with self._lock:
            found = self.network.predict(
                np.ascontiguousarray(image[..., ::-1]),
                imgsz=IMAGE_SIZE,
                conf=MIN_SCORE,
                iou=IOU,
                retina_masks=True,
                device=self.device,
                verbose=False,
                save=False,
            )[0]
        size = ImageSize(image.shape[1], image.shape[0])
        if found.masks is None:
            masks, scores = np.zeros((0, size.height, size.width), bool), np.zeros(0, np.float32)
        else:
            masks = found.masks.data.cpu().numpy() > 0.5
            scores = found.boxes.conf.cpu().numpy().astype(np.float32)
        packed = np.packbits(masks.reshape(len(masks), -1), axis=1)
        return Embedding({"masks": packed.astype(np.float32), "scores": scores}, size)

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        masks, scores = unpack(embedding), np.asarray(embedding.arrays["scores"], np.float32)
        return [_choose(masks, scores, prompt) for prompt in prompts]

    def describe_engine(self) -> str:
        return f"PyTorch on {self.device}"


def unpack(embedding: Embedding) -> NDArray[np.bool_]:
    """Return all masks of an embedding, (n, height, width)."""
    packed = np.asarray(embedding.arrays["masks"]).astype(np.uint8)
    width, height = embedding.size
    bits = np.unpackbits(packed, axis=1, count=height * width)
    return bits.reshape(-1, height, width).astype(bool)


def _choose(
    masks: NDArray[np.bool_], scores: NDArray[np.float32], prompt: ObjectPrompt
) -> MaskPrediction:
    """Return the union of the masks that a prompt means, by Ultralytics' rules.

    They are the masks on which a positive click is, and the one that fits the box best; none of
    them with a negative click on it.
    """
    points = all_points(prompt)
    allowed = ~_hit(masks, [point for point in points if not point.is_positive])
    chosen = _hit(masks, [point for point in points if point.is_positive]) & allowed
    if prompt.box is not None and allowed.any():
        fits = np.where(allowed, _box_ious(masks, prompt.box), -1)
        chosen[int(fits.argmax())] = True
    mask: BinaryMask = np.asarray(masks[chosen].any(axis=0), bool)
    logits = np.where(mask[::LOGITS_STEP, ::LOGITS_STEP], 1, -1).astype(np.float32)
    return MaskPrediction(mask, logits, float(scores[chosen].max(initial=0)))


def _hit(masks: NDArray[np.bool_], points: Sequence[Point]) -> NDArray[np.bool_]:
    """Return which masks have any of the points on them."""
    hit = np.zeros(len(masks), bool)
    for point in points:
        x = int(np.clip(point.x, 0, masks.shape[2] - 1))
        y = int(np.clip(point.y, 0, masks.shape[1] - 1))
        hit |= masks[:, y, x]
    return hit


def _box_ious(masks: NDArray[np.bool_], box: Box) -> NDArray[np.float64]:
    """Return the overlap (IoU) of each mask with a box, to whole pixels."""
    height, width = masks.shape[1:]
    x1, x2 = (int(np.clip(edge, 0, width)) for edge in (box.left, box.right))
    y1, y2 = (int(np.clip(edge, 0, height)) for edge in (box.top, box.bottom))
    inside = masks[:, y1:y2, x1:x2].sum((1, 2))
    union = (x2 - x1) * (y2 - y1) + masks.sum((1, 2)) - inside
    return np.asarray(inside / np.maximum(union, 1), np.float64)
