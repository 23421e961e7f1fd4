"""Draws pictures of plain shapes with their exact boxes: the training data of the starter model.

A picture depends only on its `numpy.random.Generator`: the same seed gives the same pixels. Boxes
are [x1, y1, x2, y2] in pixels, where pixel column 0 extends from 0 to 1, and enclose what is drawn
(before blur) to a quarter of a pixel.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

CLASSES = ("circle", "square", "triangle", "star", "cross")
MAX_SHAPES = 8
# Fraction of the smaller of two boxes that may lie inside the other one.
#
# A shape never covers a pixel that defines the box of an earlier one, so each box stays exact.
MAX_OVERLAP = 0.1

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
# `clean`: a plain background or a soft gradient. `rough`: any background, with blur and noise.
Style = Literal["clean", "rough"]

_FINE = 4  # shapes are drawn this many times larger and then averaged, as antialiasing
_SIZES = (0.08, 0.45)  # a shape's diameter, as a fraction of the picture's shorter side
_CONTRAST = 100.0  # minimum distance of a shape's colour to what is below it, in RGB levels
_TRIES = 60  # positions tried for a shape before it is left out


@dataclass(frozen=True)
class Picture:
    """`image`: uint8 (height, width, 3), RGB. `boxes`: float64 (n, 4). `names`: n of `CLASSES`."""

    image: Image
    boxes: Floats
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Stamp:
    """A drawn shape: `alpha` float64 (h, w), 0 to 1, at pixel (`x`, `y`), and its exact `box`."""

    alpha: Floats
    x: int
    y: int
    box: Floats

    @property
    def window(self) -> tuple[slice, slice]:
        height, width = self.alpha.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


def draw_picture(
    rng: Generator,
    size_wh: tuple[int, int] | None = None,
    style: Style = "rough",
    count: int | None = None,
    overlap: float = MAX_OVERLAP,
) -> Picture:
    """Draw a picture with `count` shapes: 1 to 8 at random; fewer if there is no room.

    `overlap` is the fraction of the smaller of two boxes that may lie inside the other one.
    """
    width, height = size_wh or _random_size(rng)
    canvas = _draw_ground(rng, width, height, style)
    owner = np.zeros(
        (height, width), np.uint8
    )  # which shape (from 1) is on top; 0 is the background
    boxes: list[Floats] = []
    names: list[str] = []
    for _ in range(int(rng.integers(1, MAX_SHAPES + 1)) if count is None else count):
        name = str(rng.choice(CLASSES))
        stamp = _place(rng, name, owner, boxes, overlap)
        if stamp is None:
            continue
        boxes.append(stamp.box)
        names.append(name)
        owner[stamp.window][stamp.alpha > 0] = len(boxes)
        _paint(rng, canvas, stamp, style)
    if style == "rough":
        canvas = _roughen(rng, canvas)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return Picture(image, np.array(boxes, np.float64).reshape(-1, 4), tuple(names))


def _random_size(rng: Generator) -> tuple[int, int]:
    long = int(rng.integers(240, 481))
    short = round(long / rng.uniform(1.0, 1.8))
    return (long, short) if rng.random() < 0.6 else (short, long)


def outline(name: str) -> Floats:
    """Return the corners of a class's shape, float64 (n, 2), with circumradius 1 around (0, 0)."""
    if name == "star":
        radii = np.tile([1.0, 0.45], 5)
        turns = np.arange(10) / 10
    elif name == "cross":
        arm = 0.36
        quarter = np.array([[arm, -1.0], [arm, -arm], [1.0, -arm]])
        turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
        parts = [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
        return np.asarray(np.concatenate(parts) / np.hypot(1.0, arm), np.float64)
    else:
        corners = {"circle": 90, "square": 4, "triangle": 3}[name]
        radii = np.ones(corners)
        turns = np.arange(corners) / corners
    angles = 2 * np.pi * turns
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _place(
    rng: Generator, name: str, owner: NDArray[np.uint8], boxes: list[Floats], overlap: float
) -> _Stamp | None:
    """Draw a shape at a random free position; None if none was found."""
    height, width = owner.shape
    low, high = _SIZES
    for attempt in range(_TRIES):
        # Log-uniform sizes, whose upper limit shrinks with each failed attempt.
        top = high * (low / high) ** (attempt / _TRIES)
        diameter = min(width, height) * float(np.exp(rng.uniform(np.log(low), np.log(top))))
        corners = outline(name) @ _rotation(rng, name).T * (diameter / 2)
        stroke = max(2.0, diameter * rng.uniform(0.06, 0.12)) if rng.random() < 0.35 else 0.0
        corner_low = corners.min(axis=0) - stroke / 2
        room = np.array([width, height]) - (corners.max(axis=0) + stroke / 2 - corner_low)
        corners += rng.uniform(1.0, room - 1.0) - corner_low
        stamp = _draw_stamp(corners, stroke)
        if all(_overlap(stamp.box, box) <= overlap for box in boxes) and _keeps_boxes(
            owner, stamp, boxes
        ):
            return stamp
    return None


def _rotation(rng: Generator, name: str) -> Floats:
    """Return a rotation by any angle; half of the squares, triangles and crosses are upright."""
    angle = np.pi / 4 if name == "square" else 0.0
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _draw_stamp(corners: Floats, stroke: float) -> _Stamp:
    """Draw the polygon of `corners` (n, 2), filled, or as an outline `stroke` pixels wide."""
    x, y = (int(v) for v in np.floor(corners.min(axis=0) - stroke / 2 - 0.5))
    right, bottom = (int(v) for v in np.ceil(corners.max(axis=0) + stroke / 2 + 0.5))
    fine = np.zeros(((bottom - y) * _FINE, (right - x) * _FINE), np.uint8)
    points = np.rint((corners - (x, y)) * _FINE - 0.5).astype(np.int32)  # cv2 counts pixel centres
    if stroke:
        cv2.polylines(fine, [points], True, 255, round(stroke * _FINE))
    else:
        cv2.fillPoly(fine, [points], 255)
    left, top, width, height = cv2.boundingRect(fine)
    box = np.array([left, top, left + width, top + height]) / _FINE + (x, y, x, y)
    alpha = cv2.resize(fine, (right - x, bottom - y), interpolation=cv2.INTER_AREA)
    return _Stamp(np.asarray(alpha, np.float64) / 255, x, y, box)


def _overlap(one: Floats, other: Floats) -> float:
    """Return the fraction of the smaller box that lies inside the other one, 0 to 1."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    smaller = min(np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2]))
    return float(np.prod(np.clip(sides, 0, None)) / smaller)


def _keeps_boxes(owner: NDArray[np.uint8], stamp: _Stamp, boxes: list[Floats]) -> bool:
    """Return whether each shape below the stamp still touches all edges of its box."""
    below = owner[stamp.window][stamp.alpha > 0]
    for number in np.unique(below[below > 0]):
        seen: Mask = owner == number
        seen[stamp.window] &= stamp.alpha == 0
        left, top, width, height = cv2.boundingRect(seen.astype(np.uint8))
        edges = np.array([left, top, left + width, top + height])
        if np.abs(edges - boxes[int(number) - 1]).max() >= 1:
            return False
    return True


def _random_colour(rng: Generator, style: Style, shape: bool) -> Floats:
    """Return RGB, float64 (3,), 0 to 255; in clean pictures pale backgrounds and bold shapes."""
    if style == "rough":
        pure = rng.random() < 0.25  # black, white, red, yellow …: what people draw with
        return rng.integers(0, 2, 3) * np.float64(255) if pure else rng.uniform(0, 255, 3)
    saturation, value = (rng.uniform(0.55, 0.85), rng.uniform(0.5, 0.9)) if shape else (0.06, 0.97)
    return 255 * np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value))


def _paint(rng: Generator, canvas: Floats, stamp: _Stamp, style: Style) -> None:
    """Paint the stamp on the canvas in a colour that contrasts with what is there."""
    window = canvas[stamp.window]
    below = window.mean(axis=(0, 1))
    colour = _random_colour(rng, style, shape=True)
    while np.linalg.norm(colour - below) < _CONTRAST:
        colour = _random_colour(rng, style, shape=True)
    alpha = stamp.alpha[:, :, None]
    window[:] = (1 - alpha) * window + alpha * colour


def _draw_ground(rng: Generator, width: int, height: int, style: Style) -> Floats:
    """Draw a background, float64 (height, width, 3): plain, gradient, stripes or noise."""
    kinds = ("plain", "gradient", "stripes", "noise")
    kind = str(rng.choice(kinds[:2] if style == "clean" else kinds))
    first = _random_colour(rng, style, shape=False)
    if kind == "plain":
        return np.broadcast_to(first, (height, width, 3)).copy()
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.mgrid[0:height, 0:width]
    along = np.cos(angle) * xs + np.sin(angle) * ys  # pixels in the direction of the angle
    if kind == "gradient":
        mix = (along - along.min()) / np.ptp(along)
        return _blend(first, _random_colour(rng, style, shape=False), mix)
    # Stripes and noise vary little around one colour, so that the shapes stand out.
    second = np.clip(first + rng.uniform(-40, 40, 3), 0, 255)
    if kind == "stripes":
        return _blend(first, second, (along / rng.uniform(6, 40)) % 2 < 1)
    grains = rng.random((height // 4 + 1, width // 4 + 1))
    return _blend(first, second, cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC))


def _blend(first: Floats, second: Floats, mix: NDArray[Any]) -> Floats:
    """Mix two colours (3,) by `mix` (height, width): 0 is the first, 1 the second."""
    part = mix.astype(np.float64)[:, :, None]
    return (1 - part) * first + part * second


def _roughen(rng: Generator, canvas: Floats) -> Floats:
    """Blur by up to 1 pixel and add noise of up to 12 levels, each to half of the pictures."""
    if rng.random() < 0.5:
        sigma = rng.uniform(0.3, 1.0)
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma), np.float64)
    if rng.random() < 0.5:
        canvas += rng.normal(0, rng.uniform(2, 12), canvas.shape)
    return canvas
