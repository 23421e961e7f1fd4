"""An object that was found, as the shape that a control tag draws."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from backends.detection.model.detections import Detections
from backends.detection.model.masks import Mask
from shared.results import Bitmask, Brush, Ellipse, Polygon, Rectangle, polygons


def lacking(kind: str, found: Detections) -> str | None:
    """What a network would have to find for this kind of shape, if this one finds none of it."""
    if found.probabilities is not None:
        return "objects"
    if kind in {"Brush", "Bitmask"} and found.masks is None:
        return "masks"
    if kind == "Polygon" and found.masks is None and found.turned is None:
        return "masks or oriented boxes"
    return "key points" if kind == "KeyPoint" and found.points is None else None


def shapes(kind: str, found: Detections, index: int, upright: bool) -> Iterable[Any]:
    """The shapes of one object: one, but for a mask in several parts and an empty one."""
    return BUILDERS[kind](found, index, upright)


def box(found: Detections, index: int, upright: bool) -> Rectangle:
    """The box, turned if the network turns boxes and no `upright` one is asked for."""
    if found.turned is None or upright:
        return Rectangle.from_xyxy(found.boxes[index])
    return Rectangle.from_xywhr(found.turned[index])


def _rectangles(found: Detections, index: int, upright: bool) -> list[Rectangle]:
    return [box(found, index, upright)]


def _polygons(found: Detections, index: int, upright: bool) -> list[Polygon]:
    if found.masks is not None:
        return polygons(found.masks[index])
    return [Polygon(box(found, index, upright).corners())]


def _brushes(found: Detections, index: int, upright: bool) -> list[Brush]:
    return [Brush(mask) for mask in _drawn(found, index)]


def _bitmasks(found: Detections, index: int, upright: bool) -> list[Bitmask]:
    return [Bitmask(mask) for mask in _drawn(found, index)]


def _drawn(found: Detections, index: int) -> list[Mask]:
    """The mask, unless nothing is inside."""
    masks = [found.masks[index]] if found.masks is not None else []
    return [mask for mask in masks if mask.any()]


def _ellipses(found: Detections, index: int, upright: bool) -> list[Ellipse]:
    if found.masks is not None:
        return [ellipse_of(mask) for mask in _drawn(found, index)]
    x, y, width, height, turn = box(found, index, upright).xywhr()
    return [Ellipse(x, y, width / 2, height / 2, math.degrees(turn))]


def ellipse_of(mask: Mask) -> Ellipse:
    """The ellipse with the centre, spread and direction of a mask that is not empty.

    Of a mask that is an ellipse, that one: the variance along an axis is a quarter of the
    radius squared. The longer radius is the first; its turn is between -90 and 90 degrees.
    """
    import cv2

    found = cv2.moments(mask, binaryImage=True)
    area = found["m00"]
    spread = np.array([[found["mu20"], found["mu11"]], [found["mu11"], found["mu02"]]]) / area
    variances, axes = np.linalg.eigh(spread)
    # A pixel is a square of variance 1/12, not a point.
    short, long = (2 * math.sqrt(max(float(value), 0.0) + 1 / 12) for value in variances)
    turn = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    turn = turn - 180 if turn > 90 else turn + 180 if turn <= -90 else turn
    x, y = found["m10"] / area + 0.5, found["m01"] / area + 0.5
    return Ellipse(x, y, long, short, turn)


BUILDERS: dict[str, Callable[[Detections, int, bool], Iterable[Any]]] = {
    "Rectangle": _rectangles,
    "Polygon": _polygons,
    "Ellipse": _ellipses,
    "Brush": _brushes,
    "Bitmask": _bitmasks,
}
