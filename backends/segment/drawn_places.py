"""Where a drawn region is: on which image, in which frame, and its box or click in pixels."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.segment.prompts import Box, Point
from shared.errors import TaskError, truncate
from shared.results import Ellipse, ImageSize, KeyPoint, ParsedRegion, Polygon, Rectangle

# A click may be this far outside the image, in parts of its size, and is moved to its edge.
EDGE_MARGIN = 0.01


def frame_of(region: ParsedRegion) -> ImageSize:
    width, height = region.source or (0, 0)
    if not (1 <= width < math.inf and 1 <= height < math.inf):
        raise TaskError(
            f'The drawn region "{region.id}" has no original_width and original_height above 0'
        )
    return ImageSize(int(width), int(height))


def common_frame(regions: Sequence[ParsedRegion]) -> ImageSize:
    """Return the size in which the editor showed the image on which regions are drawn."""
    first, *others = dict.fromkeys(map(frame_of, regions))
    if others:
        sizes = " and ".join(f"{width} × {height}" for width, height in (first, others[0]))
        raise TaskError(f"What is drawn on one image should be of one size, found {sizes} pixels")
    return first


def index_of(region: ParsedRegion) -> int | None:
    """Return the place in a list of images; None where the tag shows one."""
    index = region.region_keys.get("item_index")
    if index is None or (isinstance(index, int) and not isinstance(index, bool)):
        return index
    raise TaskError(
        f'item_index of the drawn region "{region.id}" should be a whole number, found'
        f" {truncate(repr(index), 50)}"
    )


def box_of(region: ParsedRegion) -> Box | None:
    """Return the upright box around a drawn shape, inside the image; None if it has no area."""
    corners = _corners_of(region.shape)
    if not len(corners):
        return None
    _check_finite(corners, region)
    frame = frame_of(region)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    left, right = np.clip((left, right), 0, frame.width)
    top, bottom = np.clip((top, bottom), 0, frame.height)
    if right - left < 1 or bottom - top < 1:
        return None
    return Box(float(left), float(top), float(right), float(bottom))


def _corners_of(shape: Any) -> Any:
    """Return points around a shape that encloses something, shape (n, 2); none for other ones."""
    if isinstance(shape, Rectangle):
        return np.array(shape.corners(), float)
    if isinstance(shape, Polygon):
        return np.array(shape.points, float).reshape(-1, 2)
    if isinstance(shape, Ellipse):
        turn = math.radians(shape.rotation)
        half_width = math.hypot(shape.radius_x * math.cos(turn), shape.radius_y * math.sin(turn))
        half_height = math.hypot(shape.radius_x * math.sin(turn), shape.radius_y * math.cos(turn))
        half = np.array([half_width, half_height])
        return np.array([shape.x, shape.y]) + np.array([-half, half])
    return np.empty((0, 2))


def click_of(region: ParsedRegion) -> Point | None:
    """Return the click that a key point, or a box without area, stands for.

    None if it lies outside the image.
    """
    shape, frame = region.shape, frame_of(region)
    place = np.array([[shape.x, shape.y]], float) if isinstance(shape, KeyPoint) else None
    place = _corners_of(shape) if place is None else place
    place = place.mean(axis=0) if len(place) else np.array([math.nan, math.nan])
    _check_finite(place, region)
    size = np.array([frame.width, frame.height], float)
    if (place < -EDGE_MARGIN * size).any() or (place > (1 + EDGE_MARGIN) * size).any():
        return None
    x, y = np.clip(place, 0, size - 0.5)
    return Point(float(x), float(y), region.region_keys.get("is_positive") is not False)


def _check_finite(places: Any, region: ParsedRegion) -> None:
    if not np.isfinite(places).all():
        raise TaskError(f'A place in the drawn region "{region.id}" is no number')


def describe_place(region: ParsedRegion) -> str:
    shape, frame = region.shape, frame_of(region)
    x, y = (float(getattr(shape, key, math.nan)) for key in ("x", "y"))
    return f"x = {x:.0f}, y = {y:.0f} on {frame.width} × {frame.height} pixels"
