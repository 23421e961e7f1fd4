"""An Ultralytics network: images in, all that one pass finds on each out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.detection.found import Floats, Found
from backends.detection.masks import Masks
from shared.image import Image
from shared.results import ImageSize

MOST = 300
"""Objects on one image."""
SIZES = {"classify": 224}
"""Image size of a network that does not say at which it was trained; 640 for other tasks."""


class Run(NamedTuple):
    """How a network is run: what label configs cannot choose afterwards.

    `image_size` is the longer side in pixels, 0 as trained; `iou` the overlap from which two
    boxes are one; `least` the score under which nothing is looked at.
    """

    image_size: int = 0
    iou: float = 0.7
    least: float = 0.01


@dataclass
class Detector:
    """A loaded network. `task` is Ultralytics' word: detect, segment, pose, obb or classify."""

    network: Any
    task: str
    names: tuple[str, ...]
    run: Run
    device: str

    @classmethod
    def load(cls, weights: Path, run: Run, device: str) -> "Detector":
        """From a file of weights."""
        from ultralytics import YOLO

        network = YOLO(weights)
        names = tuple(network.names[index] for index in sorted(network.names))
        trained = (network.ckpt or {}).get("train_args", {}).get("imgsz")
        size = run.image_size or int(trained or SIZES.get(network.task, 640))
        return cls(network, network.task, names, run._replace(image_size=size), _device(device))

    def detect(self, images: Sequence[Image]) -> list[Found]:
        """What is on each image.

        On a CPU one by one: a batch is no faster there, and its rounding would depend on what
        else is in it, so that the same image would not always give the same boxes.
        """
        size = len(images) if self.device.startswith("cuda") else 1
        return [
            found
            for start in range(0, len(images), size)
            for found in self._batch(images[start : start + size])
        ]

    def _batch(self, images: Sequence[Image]) -> list[Found]:
        results = self.network.predict(
            [np.ascontiguousarray(image.pixels[:, :, ::-1]) for image in images],
            predictor=_segmenting() if self.task == "segment" else None,
            imgsz=self.run.image_size,
            conf=self.run.least,
            iou=self.run.iou,
            max_det=MOST,
            device=self.device,
            verbose=False,
            save=False,
            **({"half": True} if self.device.startswith("cuda") else {}),
        )
        return [
            found_of(result, image.size, self.names)
            for image, result in zip(images, results, strict=True)
        ]


def found_of(result: Any, size: ImageSize, names: tuple[str, ...]) -> Found:
    """From Ultralytics' `Results` of one image."""
    if result.probs is not None:
        none = np.zeros(0, np.float32)
        probabilities = _floats(result.probs.data)
        return Found(
            size,
            names,
            none.reshape(0, 4),
            none,
            none.astype(np.int64),
            probabilities=probabilities,
        )
    objects = result.obb if result.obb is not None else result.boxes
    scores = _floats(objects.conf)
    order = np.argsort(-scores, kind="stable")
    masks = getattr(result, "lazy_masks", None)
    return Found(
        size,
        names,
        _floats(objects.xyxy)[order],
        scores[order],
        objects.cls.cpu().numpy().astype(np.int64)[order],
        turned=_floats(objects.xywhr)[order] if result.obb is not None else None,
        masks=masks and masks.ordered(order),
        points=None if result.keypoints is None else _points(result.keypoints, scores)[order],
    )


def _points(keypoints: Any, scores: Floats) -> Floats:
    """Shape (n, k, 3); a network without scores of points gives them their object's."""
    points = _floats(keypoints.data)
    if points.shape[-1] > 2:
        return points
    own = np.broadcast_to(scores[:, None, None], (*points.shape[:2], 1))
    return np.concatenate([points, own], axis=2)


def _floats(tensor: Any) -> Floats:
    values: Floats = tensor.cpu().numpy().astype(np.float32)
    return values


def _segmenting() -> type[Any]:
    """Ultralytics' predictor, but for the masks: it would draw those of all weak objects too."""
    from ultralytics.engine.results import Results
    from ultralytics.models.yolo.segment import SegmentationPredictor
    from ultralytics.utils import ops

    class Segmenting(SegmentationPredictor):
        def construct_result(
            self, pred: Any, img: Any, orig_img: Any, img_path: Any, proto: Any
        ) -> Any:
            pred[:, :4] = ops.scale_boxes(img.shape[2:], pred[:, :4], orig_img.shape)
            result = Results(orig_img, img_path, self.model.names, boxes=pred[:, :6])
            size = ImageSize(orig_img.shape[1], orig_img.shape[0])
            result.lazy_masks = Masks(
                size,
                _floats(pred[:, 6:]),
                _floats(proto),
                _floats(pred[:, :4]),
                _content(size, img.shape[2:], proto.shape[1:]),
            )
            return result

    return Segmenting


def _content(
    size: ImageSize, network: Sequence[int], prototypes: Sequence[int]
) -> tuple[float, float, float, float]:
    """Where on the prototypes the image is, which lies in the middle of the network's input."""
    height, width = network
    gain = min(height / size.height, width / size.width)
    across, down = max(round(size.width * gain), 1), max(round(size.height * gain), 1)
    left, top = round((width - across) / 2 - 0.1), round((height - down) / 2 - 0.1)
    x, y = prototypes[1] / width, prototypes[0] / height
    return left * x, top * y, (left + across) * x, (top + down) * y


def _device(setting: str) -> str:
    import torch

    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"
