"""Outlines of areas on images, as geometries of shapely."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require
from shared.evaluation.similarity.ratio import overlap_ratio
from shared.results import Ellipse, Polygon, Rectangle, Vector

Floats = NDArray[np.float64]

# Corners of the polygon that stands for an ellipse, and points of a Bézier curve.
ELLIPSE_CORNERS = 360
CURVE_POINTS = 24


def outline_iou(predicted: Any, truth: Any) -> Floats:
    """Return the IoU of each two of shapely's geometries, which are valid."""
    shapely = require("shapely", "evaluate")
    bounds, true_bounds = shapely.bounds(predicted), shapely.bounds(truth)
    low = np.maximum(bounds[:, None, :2], true_bounds[None, :, :2])
    high = np.minimum(bounds[:, None, 2:], true_bounds[None, :, 2:])
    rows, columns = np.nonzero((low < high).all(axis=2))
    overlap = np.zeros((len(predicted), len(truth)))
    overlap[rows, columns] = paired_overlap(predicted[rows], truth[columns])
    return overlap_ratio(overlap, shapely.area(predicted)[:, None] + shapely.area(truth) - overlap)


def paired_overlap(outlines: Any, others: Any) -> Floats:
    """Return the area that the outlines at equal places have in common, shape (n,)."""
    shapely = require("shapely", "evaluate")
    found: Floats = shapely.area(shapely.intersection(outlines, others))
    return found


def outlines_of(shapes: Sequence[Any]) -> Any:
    """Return valid polygons of shapes that have an outline, shape (n,).

    Of an outline that crosses itself, all that it goes round is inside, as the editor fills it
    (nonzero winding). One of fewer than three points, or with numbers that are not finite, has no
    area.
    """
    shapely = require("shapely", "evaluate")
    found: Any = np.empty(len(shapes), object)
    for place, shape in enumerate(shapes):
        points = _corners_of(shape)
        is_area = len(points) >= 3 and bool(np.isfinite(points).all())
        found[place] = shapely.Polygon(points) if is_area else shapely.Polygon()
    broken = ~shapely.is_valid(found)
    found[broken] = shapely.make_valid(found[broken], method="structure", keep_collapsed=False)
    return found


def bands_along(lines: Sequence[Vector], width: float) -> Any:
    """Return the bands of a width along open vectors, shape (n,)."""
    shapely = require("shapely", "evaluate")
    found: Any = np.empty(len(lines), object)
    for place, line in enumerate(lines):
        parts = [part for part in _parts_of(line) if np.isfinite(part).all()]
        # a line without a length has no band, its point has
        points = [shapely.Point(part[0]) for part in parts]
        lines_and_points = [*map(shapely.LineString, parts), *points]
        found[place] = shapely.union_all(lines_and_points).buffer(width / 2)
    return found


def draw_inside(outline: Any, width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask of an outline, shape (height, width): pixels whose centre is inside.

    Each edge switches all pixels to its right in the rows whose centres it passes (even-odd), so
    that holes need no care.
    """
    shapely = require("shapely", "evaluate")
    switches = np.zeros((height, width + 1), np.int32)
    for ring in shapely.get_rings(shapely.get_parts(outline)):
        points = shapely.get_coordinates(ring)
        for (x0, y0), (x1, y1) in pairwise(points):
            first, last = (min(max(math.ceil(y - 0.5), 0), height) for y in sorted((y0, y1)))
            if first < last:
                rows = np.arange(first, last)
                crossings = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(int)
                np.add.at(switches, (rows, columns), 1)
    inside: NDArray[np.bool_] = np.cumsum(switches[:, :-1], axis=1) % 2 == 1
    return inside


def _corners_of(shape: Any) -> Floats:
    if isinstance(shape, Rectangle):
        return np.array(shape.corners(), np.float64)
    if isinstance(shape, Ellipse):
        return _ellipse_corners(shape)
    if isinstance(shape, Vector):
        return np.concatenate([np.zeros((0, 2)), *_parts_of(shape)])
    if isinstance(shape, Polygon):
        return np.array(shape.points, np.float64).reshape(-1, 2)
    raise TypeError(f"{type(shape).__name__} has no outline")


def _ellipse_corners(ellipse: Ellipse) -> Floats:
    """Return the corners of a polygon that has the ellipse's area."""
    step = 2 * math.pi / ELLIPSE_CORNERS
    turns = np.arange(ELLIPSE_CORNERS) * step
    scale = math.sqrt(step / math.sin(step))
    across, down = (
        ellipse.radius_x * scale * np.cos(turns),
        ellipse.radius_y * scale * np.sin(turns),
    )
    cos, sin = math.cos(math.radians(ellipse.rotation)), math.sin(math.radians(ellipse.rotation))
    return np.stack(
        [ellipse.x + across * cos - down * sin, ellipse.y + across * sin + down * cos], axis=1
    )


def _parts_of(vector: Vector) -> Iterator[Floats]:
    """Yield the lines of a vector, each of shape (n, 2): between points, and the closing one."""
    points = vector.points
    links = vector.links or [place - 1 if place else None for place in range(len(points))]
    pairs = [(link, place) for place, link in enumerate(links) if link is not None]
    if vector.closed and len(points) > 2:
        pairs.append((len(points) - 1, 0))
    if not pairs:
        pairs = [(place, place) for place in range(len(points))]
    for start, end in pairs:
        yield _line_between(vector, start, end)


def _line_between(vector: Vector, start: int, end: int) -> Floats:
    """Return the line between two points: a cubic Bézier curve if one of them has controls."""
    first, last = (np.array(vector.points[place], np.float64)[:2] for place in (start, end))
    curves = vector.curves or {}
    if start not in curves and end not in curves:
        return np.stack([first, last])
    leaving = np.array(curves[start][1], np.float64) if start in curves else first
    coming = np.array(curves[end][0], np.float64) if end in curves else last
    at = np.linspace(0, 1, CURVE_POINTS)[:, None]
    return np.asarray(
        (1 - at) ** 3 * first
        + 3 * (1 - at) ** 2 * at * leaving
        + 3 * (1 - at) * at**2 * coming
        + at**3 * last
    )
