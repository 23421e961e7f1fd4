"""Shapes on a picture as boxes, corners and polygons, in its pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.dataset.shape_json import shape_from_json
from shared.results import Brush, Ellipse, KeyPoint, Polygon, Rectangle, Vector, mask_to_polygons

# Shape (n, 2): x and y of each point in pixels.
Points = NDArray[np.float64]
# Points of an ellipse's polygon: 0.1 % of the radius from the curve at most.
ELLIPSE_POINTS = 72
# Points of each Bézier curve.
CURVE_POINTS = 16


@dataclass(frozen=True)
class PictureShape:
    """A shape on a picture of another size than it was drawn on: `scale` are the factors x, y."""

    shape: Any
    scale: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def read(
        cls, written: Mapping[str, Any], size: Sequence[float] | None, width: int, height: int
    ) -> "PictureShape":
        """Read a shape's JSON; `size` is that of the picture on which it was drawn."""
        scale = (width / size[0], height / size[1]) if size else (1.0, 1.0)
        return cls(shape_from_json(written), scale)

    def polygons(self) -> list[Points]:
        """Return the outlines; none of what encloses no area, such as a key point or a line."""
        return [points * self.scale for points in _polygons_of(self.shape)]

    def box(self) -> tuple[float, float, float, float] | None:
        """Return left, top, right and bottom of the upright box around; None without an area."""
        x_scale, y_scale = self.scale
        if isinstance(self.shape, Ellipse):
            left, top, right, bottom = _ellipse_box(self.shape)
        elif isinstance(self.shape, Brush):
            found = _mask_box(self.shape.mask)
            if found is None:
                return None
            left, top, right, bottom = found
        else:
            points = _polygons_of(self.shape)
            if not points:
                return None
            (left, top), (right, bottom) = points[0].min(axis=0), points[0].max(axis=0)
        return left * x_scale, top * y_scale, right * x_scale, bottom * y_scale

    def corners(self) -> Points | None:
        """Return the four corners, shape (4, 2), of the turned box around; None without an area."""
        if isinstance(self.shape, Rectangle):
            return np.array(self.shape.corners()) * self.scale
        polygons = self.polygons()
        if not polygons:
            return None
        import cv2

        points = np.concatenate(polygons).astype(np.float32)
        return np.array(cv2.boxPoints(cv2.minAreaRect(points)), np.float64)

    def point(self) -> tuple[float, float] | None:
        """Return x and y of a key point; None of other shapes."""
        if not isinstance(self.shape, KeyPoint):
            return None
        return self.shape.x * self.scale[0], self.shape.y * self.scale[1]

    def mask(self, width: int, height: int) -> NDArray[np.uint8] | None:
        """Return the mask of shape (height, width) of a brush; None of other shapes."""
        if not isinstance(self.shape, Brush):
            return None
        found: NDArray[np.uint8] = self.shape.mask
        if found.shape == (height, width):
            return found
        import cv2

        resized: Any = cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, np.uint8)


def polygon_area(points: Points) -> float:
    """Return the area that a polygon of shape (n, 2) encloses."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def clip_box(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Return the part of a box inside the picture; None if nothing is."""
    left, right = (min(max(x, 0.0), width) for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0.0), height) for y in (box[1], box[3]))
    return (left, top, right, bottom) if right > left and bottom > top else None


def clip_points(points: Points, width: int, height: int) -> Points:
    """Return points of shape (n, 2), those outside the picture moved to its edge."""
    clipped: Points = np.clip(points, 0.0, (width, height))
    return clipped


def _polygons_of(shape: Any) -> list[Points]:
    """Return the outlines of a shape, each of shape (n, 2) with at least three points."""
    if isinstance(shape, Rectangle):
        found: list[Any] = [shape.corners()]
    elif isinstance(shape, Ellipse):
        found = [_ellipse_points(shape)]
    elif isinstance(shape, Polygon):
        found = [shape.points]
    elif isinstance(shape, Vector) and shape.closed:
        found = [_vector_points(shape)]
    elif isinstance(shape, Brush):
        found = [polygon.points for polygon in mask_to_polygons(shape.mask)]
    else:
        found = []
    return [np.array(points, np.float64) for points in found if len(points) >= 3]


def _ellipse_points(shape: Ellipse) -> list[tuple[float, float]]:
    turn = math.radians(shape.rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    points = []
    for number in range(ELLIPSE_POINTS):
        angle = 2 * math.pi * number / ELLIPSE_POINTS
        x, y = shape.radius_x * math.cos(angle), shape.radius_y * math.sin(angle)
        points.append((shape.x + x * cos - y * sin, shape.y + x * sin + y * cos))
    return points


def _ellipse_box(shape: Ellipse) -> tuple[float, float, float, float]:
    turn = math.radians(shape.rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    across = math.hypot(shape.radius_x * cos, shape.radius_y * sin)
    down = math.hypot(shape.radius_x * sin, shape.radius_y * cos)
    return shape.x - across, shape.y - down, shape.x + across, shape.y + down


def _mask_box(mask: NDArray[Any]) -> tuple[float, float, float, float] | None:
    """Return the box around a mask, along the edges of pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _vector_points(shape: Vector) -> list[Any]:
    """Return the points of a closed line; Bézier curves become straight pieces."""
    curves = shape.curves or {}
    points: list[Any] = []
    for place, start in enumerate(shape.points):
        after = (place + 1) % len(shape.points)
        end = shape.points[after]
        if place not in curves and after not in curves:
            points.append(start)
            continue
        leaving = curves[place][1] if place in curves else start
        arriving = curves[after][0] if after in curves else end
        points.extend(_bezier_points(start, leaving, arriving, end))
    return points


def _bezier_points(
    start: Sequence[float],
    leaving: Sequence[float],
    arriving: Sequence[float],
    end: Sequence[float],
) -> list[Any]:
    controls = np.array([start, leaving, arriving, end], np.float64)
    parts = np.arange(CURVE_POINTS)[:, None] / CURVE_POINTS
    weights = np.hstack(
        [(1 - parts) ** 3, 3 * parts * (1 - parts) ** 2, 3 * parts**2 * (1 - parts), parts**3]
    )
    points: list[Any] = (weights @ controls).tolist()
    return points
