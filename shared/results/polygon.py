"""Outlines on images: polygons and vectors, in pixels of the upright image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.media.image_size import ImageSize
from shared.results.image import Value
from shared.results.percent import (
    image_keys,
    x_to_percent,
    x_to_pixels,
    y_to_percent,
    y_to_pixels,
)

# shape (n, 2): x and y of each point.
Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Polygon:
    """A polygon, shape (n, 2). Points outside the image are moved to its edge."""

    points: Points
    closed: bool = True

    def to_value(self, on: ImageSize) -> Value:
        """As `points` in percent."""
        return {"points": _points_to_percent(self.points, on), "closed": self.closed}, image_keys(
            on
        )

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: ImageSize) -> "Polygon":
        """From a result's `value`."""
        points = [(x_to_pixels(x, on), y_to_pixels(y, on)) for x, y in value["points"]]
        return cls(points, bool(value.get("closed", True)))


@dataclass(frozen=True)
class Vector:
    """A line through points, shape (n, 2), in their order; or an outline, if `closed`.

    `curves` gives a point's two Bézier control points by the point's index. A skeleton is
    written with `links`: the index of the point that each one hangs on, None for the first.
    """

    points: Points
    closed: bool = False
    curves: Mapping[int, tuple[Sequence[float], Sequence[float]]] | None = None
    links: Sequence[int | None] | None = None

    def to_value(self, on: ImageSize) -> Value:
        """As `vertices` in percent, with ids `v0`, `v1`, …"""
        links = self.links or [place - 1 if place else None for place in range(len(self.points))]
        linked = zip(_points_to_percent(self.points, on), links, strict=True)
        vertices = [
            self._vertex_value(place, point, link, on) for place, (point, link) in enumerate(linked)
        ]
        return {"vertices": vertices, "closed": self.closed}, image_keys(on)

    def _vertex_value(
        self, place: int, point: list[float], link: int | None, on: ImageSize
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
            x, y = _points_to_percent([point_of], on)[0]
            vertex[key] = {"x": x, "y": y}
        return vertex

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: ImageSize) -> "Vector":
        """From a result's `value`."""
        vertices = value["vertices"]
        places = {vertex.get("id"): place for place, vertex in enumerate(vertices)}
        links = [places.get(vertex.get("prevPointId")) for vertex in vertices]
        plain = [place - 1 if place else None for place in range(len(vertices))]
        curves = {
            place: (
                _point_to_pixels(vertex["controlPoint1"], on),
                _point_to_pixels(vertex["controlPoint2"], on),
            )
            for place, vertex in enumerate(vertices)
            if all(vertex.get(key) for key in ("isBezier", "controlPoint1", "controlPoint2"))
        }
        points = [_point_to_pixels(vertex, on) for vertex in vertices]
        closed = bool(value.get("closed", False))
        return cls(points, closed, curves or None, None if links == plain else links)


def _points_to_percent(points: Points, on: ImageSize) -> list[list[float]]:
    return [
        [
            x_to_percent(min(max(float(x), 0.0), on.width), on),
            y_to_percent(min(max(float(y), 0.0), on.height), on),
        ]
        for x, y in points
    ]


def _point_to_pixels(point: Mapping[str, float], on: ImageSize) -> tuple[float, float]:
    return x_to_pixels(point["x"], on), y_to_pixels(point["y"], on)
