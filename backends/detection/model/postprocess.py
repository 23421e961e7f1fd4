"""Decodes a network's output for one image into detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detections import Detections
from backends.detection.model.letterbox import CenterCrop, Floats, Letterbox
from backends.detection.model.masks import Masks
from backends.detection.model.suppression import (
    select_anchors,
    suppress,
    suppress_oriented,
    to_edges,
)

# Objects per image: Ultralytics' default.
MAX_OBJECTS = 300


@dataclass(frozen=True)
class OutputDecoder:
    """Decodes the outputs of a network.

    Objects under `min_score` are dropped; boxes that overlap by more than `iou_threshold` are
    one object; at most `max_objects` remain.
    """

    spec: NetworkSpec
    min_score: float
    iou_threshold: float
    max_objects: int = MAX_OBJECTS

    def decode(self, outputs: Sequence[Floats], frame: Letterbox | CenterCrop) -> Detections:
        """Decode the outputs for one image, given without the batch axis. They are not kept."""
        if isinstance(frame, CenterCrop):
            return self._decode_classes(outputs[0], frame)
        rows = self._select_rows(outputs[0])
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        boxes, extra = rows[:, :4], rows[:, 6:]
        oriented_boxes = keypoints = masks = None
        if self.spec.task == "obb":
            centered = np.concatenate([boxes, extra[:, -1:]], axis=1)
            oriented_boxes = frame.oriented_boxes_to_image(centered)
            boxes = enclosing_boxes(oriented_boxes)
        else:
            boxes = self._boxes_in_image(boxes, frame)
        if self.spec.task == "segment":
            masks = _build_masks(outputs[1], extra, boxes, frame)
        if self.spec.keypoint_shape:
            keypoints = self._keypoints_in_image(extra, rows[:, 4], frame)
        return Detections(
            frame.image_size,
            self.spec.class_names,
            boxes,
            rows[:, 4],
            rows[:, 5].astype(np.int64),
            oriented_boxes,
            masks,
            keypoints,
            iou_threshold=self.iou_threshold,
            keypoint_names=self.spec.keypoint_names,
        )

    def _decode_classes(self, output: Floats, frame: CenterCrop) -> Detections:
        empty = np.zeros(0, np.float32)
        return Detections(
            frame.image_size,
            self.spec.class_names,
            empty.reshape(0, 4),
            empty,
            empty.astype(np.int64),
            probabilities=output.copy(),
            iou_threshold=self.iou_threshold,
        )

    def _select_rows(self, output: Floats) -> Floats:
        """Return a row (6 + e) per object: box, score, class and the network's extra outputs."""
        if self.spec.end_to_end:
            return output[output[:, 4] > self.min_score][: self.max_objects]
        rows = select_anchors(output, len(self.spec.class_names), self.min_score)
        scores, classes = rows[:, 4], rows[:, 5]
        if self.spec.task == "obb":
            boxes = np.concatenate([rows[:, :4], rows[:, -1:]], axis=1)
            kept = suppress_oriented(boxes, scores, classes, self.iou_threshold)
        else:
            rows[:, :4] = to_edges(rows[:, :4])
            kept = suppress(rows[:, :4], scores, classes, self.iou_threshold)
        return rows[kept[: self.max_objects]]

    def _boxes_in_image(self, boxes: Floats, frame: Letterbox) -> Floats:
        if not self.spec.stretches_image:
            return frame.boxes_to_image(boxes)
        center, half = boxes[:, :2], boxes[:, 2:] / 2
        edges = np.concatenate([center - half, center + half], axis=1)
        scaled: Floats = edges * np.array(frame.image_size * 2, np.float32)
        return scaled

    def _keypoints_in_image(self, extra: Floats, scores: Floats, frame: Letterbox) -> Floats:
        """Return keypoints (n, k, 3); without scores of their own they get their object's."""
        assert self.spec.keypoint_shape is not None
        points = extra.reshape(-1, *self.spec.keypoint_shape)
        object_scores = np.broadcast_to(scores[:, None, None], (*points.shape[:2], 1))
        point_scores = points[:, :, 2:] if self.spec.keypoint_shape[1] > 2 else object_scores
        return np.concatenate([frame.points_to_image(points[:, :, :2]), point_scores], axis=2)


def enclosing_boxes(oriented_boxes: Floats) -> Floats:
    """Return the upright boxes (n, 4) around oriented ones (n, 5)."""
    x, y, width, height, angle = oriented_boxes.T
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    half_width, half_height = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    edges = [x - half_width, y - half_height, x + half_width, y + half_height]
    return np.stack(edges, axis=1)


def _build_masks(prototypes: Floats, coefficients: Any, boxes: Floats, frame: Letterbox) -> Masks:
    area = frame.image_area(prototypes.shape[2], prototypes.shape[1])
    # Copies: an engine reuses its output buffers, and a slice would keep all rows alive.
    return Masks(frame.image_size, coefficients.copy(), prototypes.copy(), boxes, area)
