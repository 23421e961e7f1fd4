"""What a network gives for one image, as what it found there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detections import Detections
from backends.detection.model.letterbox import CenterCrop, Floats, Letterbox
from backends.detection.model.masks import Masks

# Objects on one image.
MOST = 300


@dataclass(frozen=True)
class OutputDecoder:
    """Reads the outputs of a network of a kind.

    `least` is the score under which nothing is looked at, `iou` the overlap from which two
    boxes are one, `most` the number of objects on one image.
    """

    kind: NetworkSpec
    least: float
    iou: float
    most: int = MOST

    def read(self, outputs: Sequence[Floats], frame: Letterbox | CenterCrop) -> Detections:
        """Of one image, without the axis of the batch. Keeps none of the arrays."""
        if isinstance(frame, CenterCrop):
            return self._classes(outputs[0], frame)
        rows = self._objects(outputs[0])
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        boxes, more = rows[:, :4], rows[:, 6:]
        turned = points = masks = None
        if self.kind.task == "obb":
            turned = frame.turned(np.concatenate([boxes, more[:, -1:]], axis=1))
            boxes = around(turned)
        else:
            boxes = self._boxes(boxes, frame)
        if self.kind.task == "segment":
            masks = _masks(outputs[1], more, boxes, frame)
        if self.kind.points:
            points = self._points(more, rows[:, 4], frame)
        return Detections(
            frame.size,
            self.kind.names,
            boxes,
            rows[:, 4],
            rows[:, 5].astype(np.int64),
            turned,
            masks,
            points,
            iou=self.iou,
        )

    def _classes(self, output: Floats, frame: CenterCrop) -> Detections:
        none = np.zeros(0, np.float32)
        return Detections(
            frame.size,
            self.kind.names,
            none.reshape(0, 4),
            none,
            none.astype(np.int64),
            probabilities=output.copy(),
            iou=self.iou,
        )

    def _objects(self, output: Floats) -> Floats:
        """Rows (n, 6 + e): box, score, class and what else the network says of an object."""
        import torch
        from ultralytics.utils.nms import non_max_suppression

        count = len(self.kind.names)
        if self.kind.selects:
            return output[output[:, 4] > self.least][: self.most]
        # Ultralytics' own works on all places; few are worth it.
        places = output[:, output[4 : 4 + count].max(axis=0) > self.least]
        if places.shape[1] == 6:  # by this it tells rows of objects from places
            places = np.pad(places, ((0, 0), (0, 1)))
        [rows] = non_max_suppression(
            torch.from_numpy(places[None]),
            self.least,
            self.iou,
            max_det=self.most,
            nc=count,
            rotated=self.kind.task == "obb",
        )
        found: Floats = rows.numpy()
        return found

    def _boxes(self, boxes: Floats, frame: Letterbox) -> Floats:
        if not self.kind.stretches:
            return frame.boxes(boxes)
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        edges = np.concatenate([middle - half, middle + half], axis=1)
        scaled: Floats = edges * np.array(frame.size * 2, np.float32)
        return scaled

    def _points(self, more: Floats, scores: Floats, frame: Letterbox) -> Floats:
        """Shape (n, k, 3); a network without scores of points gives them their object's."""
        assert self.kind.points is not None
        points = more.reshape(-1, *self.kind.points)
        own = np.broadcast_to(scores[:, None, None], (*points.shape[:2], 1))
        sure = points[:, :, 2:] if self.kind.points[1] > 2 else own
        return np.concatenate([frame.points(points[:, :, :2]), sure], axis=2)


def around(turned: Floats) -> Floats:
    """The upright boxes (n, 4) around oriented ones (n, 5)."""
    x, y, width, height, turn = turned.T
    cos, sin = np.abs(np.cos(turn)), np.abs(np.sin(turn))
    across, down = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return np.stack([x - across, y - down, x + across, y + down], axis=1)


def _masks(prototypes: Floats, coefficients: Any, boxes: Floats, frame: Letterbox) -> Masks:
    content = frame.content(prototypes.shape[2], prototypes.shape[1])
    return Masks(frame.size, coefficients.copy(), prototypes.copy(), boxes, content)
