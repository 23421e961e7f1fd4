"""Regions on images. Shapes are in pixels of the upright image; here they become percent."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Value = tuple[dict[str, Any], dict[str, Any]]

DECIMALS = 5
"""Of a percentage: a hundredth of a pixel on an image 100,000 pixels wide."""


class ImageSize(NamedTuple):
    """Width and height in pixels of the upright image (EXIF orientation applied)."""

    width: int
    height: int

    def beside(self) -> dict[str, Any]:
        """The keys that stand beside `value` in a result on an image."""
        return {
            "original_width": self.width,
            "original_height": self.height,
            "image_rotation": 0,
        }

    def percent_x(self, pixels: float) -> float:
        """Pixels to percent of the width."""
        return round(float(pixels) * 100 / self.width, DECIMALS)

    def percent_y(self, pixels: float) -> float:
        """Pixels to percent of the height."""
        return round(float(pixels) * 100 / self.height, DECIMALS)


@dataclass(frozen=True)
class Rectangle:
    """A box: its top-left corner, width and height, turned clockwise about that corner.

    `rotation` is in degrees. An upright box is clipped to the image; a turned one is not.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    @classmethod
    def from_xyxy(cls, xyxy: Sequence[float]) -> "Rectangle":
        """From left, top, right, bottom."""
        left, top, right, bottom = (float(number) for number in xyxy)
        return cls(left, top, right - left, bottom - top)

    @classmethod
    def from_quad(cls, corners: Sequence[Sequence[float]], upright_within: float = 0.0) -> "Rectangle":
        """From four corners, clockwise from the one that is top left as the content is read.

        shape (4, 2). The sides are those that fit the quadrilateral best; a turn smaller than
        `upright_within` degrees gives the upright box around it.
        """
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = ((float(x), float(y)) for x, y in corners)
        across = (x1 - x0 + x2 - x3) / 2, (y1 - y0 + y2 - y3) / 2
        down = (x3 - x0 + x2 - x1) / 2, (y3 - y0 + y2 - y1) / 2
        rotation = math.degrees(math.atan2(across[1], across[0]))
        if abs(rotation) <= upright_within:
            xs, ys = (x0, x1, x2, x3), (y0, y1, y2, y3)
            return cls.from_xyxy((min(xs), min(ys), max(xs), max(ys)))
        width, height = math.hypot(*across), math.hypot(*down)
        turn = math.radians(rotation)
        cos, sin = math.cos(turn), math.sin(turn)
        middle_x, middle_y = (x0 + x1 + x2 + x3) / 4, (y0 + y1 + y2 + y3) / 4
        x = middle_x - width / 2 * cos + height / 2 * sin
        y = middle_y - width / 2 * sin - height / 2 * cos
        return cls(x, y, width, height, rotation % 360)

    def clipped(self, on: ImageSize) -> "Rectangle":
        """The part inside the image."""
        if self.rotation:
            return self
        left, right = (min(max(x, 0.0), on.width) for x in (self.x, self.x + self.width))
        top, bottom = (min(max(y, 0.0), on.height) for y in (self.y, self.y + self.height))
        return Rectangle.from_xyxy((left, top, right, bottom))

    def value(self, on: ImageSize) -> Value:
        """As `x`, `y`, `width`, `height` in percent and `rotation` in degrees."""
        box = self.clipped(on)
        value = {
            "x": on.percent_x(box.x),
            "y": on.percent_y(box.y),
            "width": on.percent_x(box.width),
            "height": on.percent_y(box.height),
            "rotation": round(float(box.rotation), DECIMALS),
        }
        return value, on.beside()


@dataclass(frozen=True)
class Polygon:
    """A closed polygon, shape (n, 2). Points outside the image are moved to its edge."""

    points: Sequence[Sequence[float]]

    def value(self, on: ImageSize) -> Value:
        """As `points` in percent."""
        return {"points": list(self._percent(on)), "closed": True}, on.beside()

    def _percent(self, on: ImageSize) -> Iterable[list[float]]:
        for x, y in self.points:
            yield [
                on.percent_x(min(max(float(x), 0.0), on.width)),
                on.percent_y(min(max(float(y), 0.0), on.height)),
            ]
