"""Regions on images: shapes in pixels of the upright image, which become percent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.media.image_size import ImageSize
from shared.results.percent import (
    PERCENT_DECIMALS,
    image_keys,
    x_to_percent,
    x_to_pixels,
    y_to_percent,
    y_to_pixels,
)
from shared.results.types import ShapeValue

# A key point's size where none is given, in percent of the image's width.
DEFAULT_POINT_PERCENT = 0.5


@dataclass(frozen=True)
class Rectangle:
    """A box: its top-left corner, width and height in pixels.

    `rotation` turns it clockwise about that corner, in degrees. An upright box is clipped to the
    image; a turned one is not.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    @classmethod
    def from_xyxy(cls, xyxy: Sequence[float]) -> "Rectangle":
        """Build the box from left, top, right and bottom, in pixels."""
        left, top, right, bottom = (float(number) for number in xyxy)
        return cls(left, top, right - left, bottom - top)

    @classmethod
    def from_xywhr(cls, xywhr: Sequence[float]) -> "Rectangle":
        """Build an oriented box from its centre, width, height and clockwise turn in radians."""
        x, y, width, height, turn = (float(number) for number in xywhr)
        return cls._from_center(x, y, width, height, math.degrees(turn))

    @classmethod
    def from_quad(
        cls, corners: Sequence[Sequence[float]], upright_within: float = 0.0
    ) -> "Rectangle":
        """Build the box that fits four corners best.

        `corners` has shape (4, 2): clockwise, from the top left of the content as it is read. A
        turn of at most `upright_within` degrees gives the upright box around the corners.
        """
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = ((float(x), float(y)) for x, y in corners)
        across = (x1 - x0 + x2 - x3) / 2, (y1 - y0 + y2 - y3) / 2
        down = (x3 - x0 + x2 - x1) / 2, (y3 - y0 + y2 - y1) / 2
        rotation = math.degrees(math.atan2(across[1], across[0]))
        if abs(rotation) <= upright_within:
            xs, ys = (x0, x1, x2, x3), (y0, y1, y2, y3)
            return cls.from_xyxy((min(xs), min(ys), max(xs), max(ys)))
        middle = (x0 + x1 + x2 + x3) / 4, (y0 + y1 + y2 + y3) / 4
        return cls._from_center(*middle, math.hypot(*across), math.hypot(*down), rotation)

    @classmethod
    def _from_center(
        cls, x: float, y: float, width: float, height: float, rotation: float
    ) -> "Rectangle":
        """Build the box from its centre; `rotation` is in degrees."""
        cos, sin = _cos_sin(rotation)
        left = x - width / 2 * cos + height / 2 * sin
        top = y - width / 2 * sin - height / 2 * cos
        return cls(left, top, width, height, rotation % 360)

    def corners(self) -> list[tuple[float, float]]:
        """Return the corners, shape (4, 2), clockwise from the one that the box turns about."""
        cos, sin = _cos_sin(self.rotation)
        across = self.width * cos, self.width * sin
        down = -self.height * sin, self.height * cos
        return [
            (self.x, self.y),
            (self.x + across[0], self.y + across[1]),
            (self.x + across[0] + down[0], self.y + across[1] + down[1]),
            (self.x + down[0], self.y + down[1]),
        ]

    def to_xywhr(self) -> tuple[float, float, float, float, float]:
        """Return the centre, width, height and clockwise turn in radians."""
        (x0, y0), _, (x2, y2), _ = self.corners()
        middle = (x0 + x2) / 2, (y0 + y2) / 2
        return (*middle, self.width, self.height, math.radians(self.rotation))

    def clip_to(self, size: ImageSize) -> "Rectangle":
        """Return the part inside the image; a turned box is returned as it is."""
        if self.rotation:
            return self
        left, right = (min(max(x, 0.0), size.width) for x in (self.x, self.x + self.width))
        top, bottom = (min(max(y, 0.0), size.height) for y in (self.y, self.y + self.height))
        return Rectangle(left, top, right - left, bottom - top)

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `x`, `y`, `width`, `height` in percent and `rotation` in degrees."""
        box = self.clip_to(size)
        value = {
            "x": x_to_percent(box.x, size),
            "y": y_to_percent(box.y, size),
            "width": x_to_percent(box.width, size),
            "height": y_to_percent(box.height, size),
            "rotation": _normalize_degrees(box.rotation),
        }
        return value, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Rectangle":
        """Read the shape of a result's `value`, in pixels."""
        return cls(
            x_to_pixels(value["x"], size),
            y_to_pixels(value["y"], size),
            x_to_pixels(value["width"], size),
            y_to_pixels(value["height"], size),
            float(value.get("rotation") or 0),
        )


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: centre and radii in pixels, turned clockwise by `rotation` degrees."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    rotation: float = 0.0

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `x`, `y`, `radiusX`, `radiusY` in percent and `rotation` in degrees."""
        value = {
            "x": x_to_percent(self.x, size),
            "y": y_to_percent(self.y, size),
            "radiusX": x_to_percent(self.radius_x, size),
            "radiusY": y_to_percent(self.radius_y, size),
            "rotation": _normalize_degrees(self.rotation),
        }
        return value, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Ellipse":
        """Read the shape of a result's `value`, in pixels."""
        return cls(
            x_to_pixels(value["x"], size),
            y_to_pixels(value["y"], size),
            x_to_pixels(value["radiusX"], size),
            y_to_pixels(value["radiusY"], size),
            float(value.get("rotation") or 0),
        )


@dataclass(frozen=True)
class KeyPoint:
    """A point in pixels, drawn `size` pixels wide (0.5 % of the image's width by default).

    A point less than a pixel outside the image is moved to its edge.
    """

    x: float
    y: float
    size: float | None = None

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `x`, `y` and `width` in percent; without `width` the editor shows no key point."""
        value = {
            "x": x_to_percent(_nudge_inside(self.x, size.width), size),
            "y": y_to_percent(_nudge_inside(self.y, size.height), size),
            "width": DEFAULT_POINT_PERCENT if self.size is None else x_to_percent(self.size, size),
        }
        return value, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "KeyPoint":
        """Read the shape of a result's `value`, in pixels."""
        return cls(
            x_to_pixels(value["x"], size),
            y_to_pixels(value["y"], size),
            x_to_pixels(value["width"], size),
        )


def _cos_sin(rotation: float) -> tuple[float, float]:
    turn = math.radians(rotation)
    if not math.isfinite(turn):
        return math.nan, math.nan
    return math.cos(turn), math.sin(turn)


def _normalize_degrees(rotation: float) -> float:
    """Return the same direction as an angle from 0 to below 360."""
    turned = round(float(rotation), PERCENT_DECIMALS)
    return turned % 360 if math.isfinite(turned) else math.nan


def _nudge_inside(pixels: float, whole: float) -> float:
    if -1 < pixels < 0 or whole < pixels < whole + 1:
        return min(max(float(pixels), 0.0), whole)
    return pixels
