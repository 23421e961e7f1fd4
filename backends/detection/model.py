"""An Ultralytics model: images to boxes, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.image import Image
from shared.results import ImageSize

FLOOR = 0.01
"""Least score that is looked at; label configs choose theirs above it, afterwards."""
MOST = 300
"""Boxes of one image."""


@dataclass(frozen=True)
class Detections:
    """What was found on one image.

    `boxes` of shape (n, 4) are left, top, right, bottom in pixels; `scores` of shape (n,) lie
    from 0 to 1, the highest first; `classes` of shape (n,) are indices into `names`.
    """

    size: ImageSize
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass
class Detector:
    """A loaded model with its image size and device."""

    network: Any
    names: tuple[str, ...]
    image_size: int
    iou: float
    device: str

    @classmethod
    def load(cls, weights: Path, image_size: int, iou: float, device: str) -> "Detector":
        """From a file of weights. `image_size` 0 takes the size it was trained at."""
        from ultralytics import YOLO

        network = YOLO(weights, task="detect")
        trained = (network.ckpt or {}).get("train_args", {}).get("imgsz", 640)
        names = tuple(network.names[index] for index in sorted(network.names))
        return cls(network, names, image_size or int(trained), iou, _device(device))

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The boxes on each image.

        On a CPU one by one: a batch is no faster there, and its rounding would depend on what
        else is in it, so that the same image would not always give the same boxes.
        """
        size = len(images) if self.device.startswith("cuda") else 1
        return [
            found
            for start in range(0, len(images), size)
            for found in self._batch(images[start : start + size])
        ]

    def _batch(self, images: Sequence[Image]) -> list[Detections]:
        found = self.network.predict(
            [np.ascontiguousarray(image.pixels[:, :, ::-1]) for image in images],
            imgsz=self.image_size,
            conf=FLOOR,
            iou=self.iou,
            max_det=MOST,
            device=self.device,
            verbose=False,
            save=False,
            **({"half": True} if self.device.startswith("cuda") else {}),
        )
        return [
            self._read(image, result.boxes) for image, result in zip(images, found, strict=True)
        ]

    def _read(self, image: Image, boxes: Any) -> Detections:
        return Detections(
            image.size,
            boxes.xyxy.cpu().numpy().astype(np.float32),
            boxes.conf.cpu().numpy().astype(np.float32),
            boxes.cls.cpu().numpy().astype(np.int64),
            self.names,
        )


def _device(setting: str) -> str:
    import torch

    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"
