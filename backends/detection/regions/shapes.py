"""A detected object as the shape that a control tag draws."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from backends.detection.model.detections import Detections
from backends.detection.model.masks import Mask
from shared.results import Bitmask, Brush, Ellipse, Polygon, Rectangle, mask_to_polygons


def missing_output(shape_name: str, detections: Detections) -> str | None:
    """Return what the network would have to detect for such a shape, if it does not."""
    if detections.probabilities is not None:
        return "objects"
    if shape_name in {"Brush", "Bitmask"} and detections.masks is None:
        return "masks"
    if shape_name == "Polygon" and detections.masks is None and detections.oriented_boxes is None:
        return "masks or oriented boxes"
    return "key points" if shape_name == "KeyPoint" and detections.keypoints is None else None


def build_shapes(shape_name: str, detections: Detections, row: int, upright: bool) -> Iterable[Any]:
    """Build the shapes of an object: usually one, several for a mask in parts, none if empty."""
    return SHAPE_BUILDERS[shape_name](detections, row, upright)


def build_box(detections: Detections, row: int, upright: bool) -> Rectangle:
    """Build the box of an object: the oriented one if there is one, unless `upright`."""
    if detections.oriented_boxes is None or upright:
        return Rectangle.from_xyxy(detections.boxes[row])
    return Rectangle.from_xywhr(detections.oriented_boxes[row])


def _build_rectangles(detections: Detections, row: int, upright: bool) -> list[Rectangle]:
    return [build_box(detections, row, upright)]


def _build_polygons(detections: Detections, row: int, upright: bool) -> list[Polygon]:
    if detections.masks is not None:
        return mask_to_polygons(detections.masks[row])
    return [Polygon(build_box(detections, row, upright).corners())]


def _build_brushes(detections: Detections, row: int, upright: bool) -> list[Brush]:
    return [Brush(mask) for mask in _nonempty_masks(detections, row)]


def _build_bitmasks(detections: Detections, row: int, upright: bool) -> list[Bitmask]:
    return [Bitmask(mask) for mask in _nonempty_masks(detections, row)]


def _build_ellipses(detections: Detections, row: int, upright: bool) -> list[Ellipse]:
    if detections.masks is not None:
        return [fit_ellipse(mask) for mask in _nonempty_masks(detections, row)]
    x, y, width, height, angle = build_box(detections, row, upright).to_xywhr()
    return [Ellipse(x, y, width / 2, height / 2, math.degrees(angle))]


def _nonempty_masks(detections: Detections, row: int) -> list[Mask]:
    masks = [detections.masks[row]] if detections.masks is not None else []
    return [mask for mask in masks if mask.any()]


def fit_ellipse(mask: Mask) -> Ellipse:
    """Return the ellipse with the same centre, variances and direction as a non-empty mask.

    For a mask that is an ellipse this is that ellipse: the variance along an axis is a quarter of
    the squared radius. The longer radius comes first; the angle is between -90 and 90 degrees.
    """
    import cv2

    moments = cv2.moments(mask, binaryImage=True)
    area = moments["m00"]
    covariance = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]])
    variances, axes = np.linalg.eigh(covariance / area)
    # A pixel is a square, whose variance is 1/12, and not a point.
    short, long = (2 * math.sqrt(max(float(value), 0.0) + 1 / 12) for value in variances)
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    angle = angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle
    x, y = moments["m10"] / area + 0.5, moments["m01"] / area + 0.5
    return Ellipse(x, y, long, short, angle)


SHAPE_BUILDERS: dict[str, Callable[[Detections, int, bool], Iterable[Any]]] = {
    "Rectangle": _build_rectangles,
    "Polygon": _build_polygons,
    "Ellipse": _build_ellipses,
    "Brush": _build_brushes,
    "Bitmask": _build_bitmasks,
}
