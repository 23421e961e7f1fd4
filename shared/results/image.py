"""Regions on images. Shapes are in pixels of the upright image; here they become percent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Value = tuple[dict[str, Any], dict[str, Any]]

# Of a percentage: a hundredth of a pixel on an image 100,000 pixels wide.
DECIMALS = 5

# A keypoint's size where none is given, in percent of the image's width.
POINT_PERCENT = 0.5


class ImageSize(NamedTuple):
    """Width and height in pixels of the upright image (EXIF orientation applied)."""

    width: int
    height: int

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> "ImageSize":
        """The size that stands in a result; KeyError if it has none."""
        return cls(result["original_width"], result["original_height"])

    def beside(self) -> dict[str, Any]:
        """The keys that stand beside `value` in a result on an image."""
        return {
            "original_width": self.width,
            "original_height": self.height,
            "image_rotation": 0,
        }

    def percent_x(self, pixels: float) -> float:
        """Pixels to percent of the width."""
        return _percent(pixels, self.width)

    def percent_y(self, pixels: float) -> float:
        """Pixels to percent of the height."""
        return _percent(pixels, self.height)

    def pixels_x(self, percent: float) -> float:
        """Percent of the width to pixels."""
        return float(percent) * self.width / 100

    def pixels_y(self, percent: float) -> float:
        """Percent of the height to pixels."""
        return float(percent) * self.height / 100


def _percent(pixels: float, whole: float) -> float:
    """The one place where pixels become percent. An image of no size gives NaN."""
    return round(float(pixels) * 100 / whole, DECIMALS) if whole else math.nan


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
    def from_xywhr(cls, xywhr: Sequence[float]) -> "Rectangle":
        """From an oriented box: its centre, width, height and clockwise turn in radians."""
        x, y, width, height, turn = (float(number) for number in xywhr)
        return cls._around(x, y, width, height, math.degrees(turn))

    @classmethod
    def from_quad(
        cls, corners: Sequence[Sequence[float]], upright_within: float = 0.0
    ) -> "Rectangle":
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
        middle = (x0 + x1 + x2 + x3) / 4, (y0 + y1 + y2 + y3) / 4
        return cls._around(*middle, math.hypot(*across), math.hypot(*down), rotation)

    @classmethod
    def _around(
        cls, x: float, y: float, width: float, height: float, rotation: float
    ) -> "Rectangle":
        """From its centre; `rotation` in degrees."""
        cos, sin = _turn(rotation)
        left = x - width / 2 * cos + height / 2 * sin
        top = y - width / 2 * sin - height / 2 * cos
        return cls(left, top, width, height, rotation % 360)

    def corners(self) -> list[tuple[float, float]]:
        """The four corners, clockwise from the one that it turns about."""
        cos, sin = _turn(self.rotation)
        across = self.width * cos, self.width * sin
        down = -self.height * sin, self.height * cos
        return [
            (self.x, self.y),
            (self.x + across[0], self.y + across[1]),
            (self.x + across[0] + down[0], self.y + across[1] + down[1]),
            (self.x + down[0], self.y + down[1]),
        ]

    def xywhr(self) -> tuple[float, float, float, float, float]:
        """As an oriented box: centre, width, height, clockwise turn in radians."""
        (x0, y0), _, (x2, y2), _ = self.corners()
        middle = (x0 + x2) / 2, (y0 + y2) / 2
        return (*middle, self.width, self.height, math.radians(self.rotation))

    def clipped(self, on: ImageSize) -> "Rectangle":
        """The part inside the image."""
        if self.rotation:
            return self
        left, right = (min(max(x, 0.0), on.width) for x in (self.x, self.x + self.width))
        top, bottom = (min(max(y, 0.0), on.height) for y in (self.y, self.y + self.height))
        return Rectangle(left, top, right - left, bottom - top)

    def value(self, on: ImageSize) -> Value:
        """As `x`, `y`, `width`, `height` in percent and `rotation` in degrees."""
        box = self.clipped(on)
        value = {
            "x": on.percent_x(box.x),
            "y": on.percent_y(box.y),
            "width": on.percent_x(box.width),
            "height": on.percent_y(box.height),
            "rotation": _degrees(box.rotation),
        }
        return value, on.beside()

    @classmethod
    def read(cls, value: Mapping[str, Any], on: ImageSize) -> "Rectangle":
        """From a result's `value`."""
        return cls(
            on.pixels_x(value["x"]),
            on.pixels_y(value["y"]),
            on.pixels_x(value["width"]),
            on.pixels_y(value["height"]),
            float(value.get("rotation") or 0),
        )


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: its centre and radii, turned clockwise about the centre by `rotation` degrees."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    rotation: float = 0.0

    def value(self, on: ImageSize) -> Value:
        """As `x`, `y`, `radiusX`, `radiusY` in percent and `rotation` in degrees."""
        value = {
            "x": on.percent_x(self.x),
            "y": on.percent_y(self.y),
            "radiusX": on.percent_x(self.radius_x),
            "radiusY": on.percent_y(self.radius_y),
            "rotation": _degrees(self.rotation),
        }
        return value, on.beside()

    @classmethod
    def read(cls, value: Mapping[str, Any], on: ImageSize) -> "Ellipse":
        """From a result's `value`."""
        return cls(
            on.pixels_x(value["x"]),
            on.pixels_y(value["y"]),
            on.pixels_x(value["radiusX"]),
            on.pixels_y(value["radiusY"]),
            float(value.get("rotation") or 0),
        )


@dataclass(frozen=True)
class KeyPoint:
    """A point, drawn `size` pixels wide (a half percent of the image if none is given).

    A point less than a pixel outside the image is moved to its edge.
    """

    x: float
    y: float
    size: float | None = None

    def value(self, on: ImageSize) -> Value:
        """As `x`, `y` and `width` in percent; without `width` the editor sees no keypoint."""
        value = {
            "x": on.percent_x(_nudged(self.x, on.width)),
            "y": on.percent_y(_nudged(self.y, on.height)),
            "width": POINT_PERCENT if self.size is None else on.percent_x(self.size),
        }
        return value, on.beside()

    @classmethod
    def read(cls, value: Mapping[str, Any], on: ImageSize) -> "KeyPoint":
        """From a result's `value`."""
        return cls(on.pixels_x(value["x"]), on.pixels_y(value["y"]), on.pixels_x(value["width"]))


def _turn(rotation: float) -> tuple[float, float]:
    turn = math.radians(rotation)
    if not math.isfinite(turn):
        return math.nan, math.nan
    return math.cos(turn), math.sin(turn)


def _degrees(rotation: float) -> float:
    """From 0 to below 360."""
    turned = round(float(rotation), DECIMALS)
    return turned % 360 if math.isfinite(turned) else math.nan


def _nudged(pixels: float, whole: float) -> float:
    if -1 < pixels < 0 or whole < pixels < whole + 1:
        return min(max(float(pixels), 0.0), whole)
    return pixels
