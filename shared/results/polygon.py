"""Outlines on images: polygons and vectors, in pixels of the upright image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.media.image_size import ImageSize
from shared.results.percent import (
    image_keys,
    x_to_percent,
    x_to_pixels,
    y_to_percent,
    y_to_pixels,
)
from shared.results.types import ShapeValue

# Shape (n, 2): x and y of each point, in pixels.
Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Polygon:
    """A polygon through points of shape (n, 2). Points outside the image move to its edge."""

    points: Points
    closed: bool = True

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `points` in percent, and `closed`."""
        value = {"points": _points_to_percent(self.points, size), "closed": self.closed}
        return value, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Polygon":
        """Read the shape of a result's `value`, in pixels."""
        points = [(x_to_pixels(x, size), y_to_pixels(y, size)) for x, y in value["points"]]
        return cls(points, bool(value.get("closed", True)))


@dataclass(frozen=True)
class Vector:
    """A line through points of shape (n, 2), in order; an outline if `closed`.

    `curves` maps a point's index to its two Bézier control points. `links` makes a skeleton: for
    each point the index of the point it is connected to, None for the first.
    """

    points: Points
    closed: bool = False
    curves: Mapping[int, tuple[Sequence[float], Sequence[float]]] | None = None
    links: Sequence[int | None] | None = None

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `vertices` in percent, with the ids `v0`, `v1`, …, and `closed`."""
        links = self.links or [place - 1 if place else None for place in range(len(self.points))]
        linked = zip(_points_to_percent(self.points, size), links, strict=True)
        vertices = [
            self._vertex_value(place, point, link, size)
            for place, (point, link) in enumerate(linked)
        ]
        return {"vertices": vertices, "closed": self.closed}, image_keys(size)

    def _vertex_value(
        self, place: int, point: list[float], link: int | None, size: ImageSize
    ) -> dict[str, Any]:
        curve = (self.curves or {}).get(place)
        vertex: dict[str, Any] = {
            "id": f"v{place}",
            "x": point[0],
            "y": point[1],
            "prevPointId": None if link is None else f"v{link}",
            "isBezier": curve is not None,
        }
        for key, point_of in zip(("controlPoint1", "controlPoint2"), curve or (), strict=False):
            x, y = _points_to_percent([point_of], size)[0]
            vertex[key] = {"x": x, "y": y}
        return vertex

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Vector":
        """Read the shape of a result's `value`, in pixels."""
        vertices = value["vertices"]
        places = {vertex.get("id"): place for place, vertex in enumerate(vertices)}
        links = [places.get(vertex.get("prevPointId")) for vertex in vertices]
        plain = [place - 1 if place else None for place in range(len(vertices))]
        curves = {
            place: (
                _point_to_pixels(vertex["controlPoint1"], size),
                _point_to_pixels(vertex["controlPoint2"], size),
            )
            for place, vertex in enumerate(vertices)
            if all(vertex.get(key) for key in ("isBezier", "controlPoint1", "controlPoint2"))
        }
        points = [_point_to_pixels(vertex, size) for vertex in vertices]
        closed = bool(value.get("closed", False))
        return cls(points, closed, curves or None, None if links == plain else links)


def _points_to_percent(points: Points, size: ImageSize) -> list[list[float]]:
    return [
        [
            x_to_percent(min(max(float(x), 0.0), size.width), size),
            y_to_percent(min(max(float(y), 0.0), size.height), size),
        ]
        for x, y in points
    ]


def _point_to_pixels(point: Mapping[str, float], size: ImageSize) -> tuple[float, float]:
    return x_to_pixels(point["x"], size), y_to_pixels(point["y"], size)
