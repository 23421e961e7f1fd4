"""Draws pictures of plain shapes that overlap, with the exact pixels of each.

A picture depends only on its `numpy.random.Generator`: the same seed gives the same pixels.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
# `clean`: a plain background or a soft gradient. `rough`: any background, with blur and noise.
Style = Literal["clean", "rough"]

SHAPES = ("ellipse", "rectangle", "polygon", "star", "cross", "blob", "ring")
# A shape of which this fraction lies on another one belongs to it, as the eye to a face.
CONTAINED = 0.98
_FINE = 4  # shapes are drawn this many times larger and then averaged, as antialiasing
_SIZES = (0.06, 0.6)  # a shape's diameter, as a fraction of the picture's shorter side
_PART_SIZES = (0.25, 0.6)  # that of a part, as a fraction of the diameter of what it lies on
_CONTRAST = 60.0  # minimum distance of a shape's colour to those it touches, in RGB levels
_MIN_VISIBLE = 0.3  # fraction of an earlier shape that later ones leave visible
_TRIES = 12  # positions tried for a shape before it is left out


@dataclass(frozen=True)
class Picture:
    """`image`: uint8 (height, width, 3), RGB. `shapes`: bool (n, height, width), as drawn.

    Later shapes hide earlier ones.
    """

    image: Image
    shapes: Mask

    @cached_property
    def owner(self) -> NDArray[np.int16]:
        """Which shape is on top at each pixel, int16 (height, width); -1 is the background."""
        owner = np.full(self.image.shape[:2], -1, np.int16)
        for number, shape in enumerate(self.shapes):
            owner[shape] = number
        return owner

    @cached_property
    def regions(self) -> Mask:
        """The pixels of each shape, bool (n, height, width).

        They are those that no other shape hides, and those of shapes that lie on it wholly.
        """
        regions = self.shapes.copy()
        areas = self.shapes.sum((1, 2))
        for number, region in enumerate(regions):
            for later in range(number + 1, len(regions)):
                inside = (self.shapes[later] & self.shapes[number]).sum()
                if inside < CONTAINED * areas[later]:
                    region &= self.owner != later
        return regions

    def parts_of(self, number: int) -> Sequence[int]:
        """Return the shapes that lie on a shape wholly."""
        seen = np.unique(self.owner[self.regions[number]])
        return [int(other) for other in seen if other > number]


@dataclass
class _Canvas:
    """A picture that is being drawn: `pixels` float32 (h, w, 3), what owns them, and colours."""

    pixels: Floats
    owner: NDArray[np.int16]
    alphas: list[Floats]
    colours: list[Floats]
    diameters: list[float]

    @property
    def shapes(self) -> Mask:
        height, width = self.owner.shape
        return np.array([a >= 0.5 for a in self.alphas], bool).reshape(-1, height, width)


def draw_picture(
    rng: Generator,
    size_wh: tuple[int, int] | None = None,
    style: Style = "rough",
    count: int | None = None,
) -> Picture:
    """Draw a picture with `count` shapes: 1 to 9 at random; fewer if there is no room."""
    width, height = size_wh or random_size(rng)
    ground = _draw_ground(rng, width, height, style)
    canvas = _Canvas(ground, np.full((height, width), -1, np.int16), [], [], [])
    for _ in range(int(rng.integers(1, 10)) if count is None else count):
        _add_shape(rng, canvas, style)
    pixels = _roughen(rng, canvas.pixels) if style == "rough" else canvas.pixels
    return Picture(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), canvas.shapes)


def random_size(rng: Generator, low: int = 240, high: int = 640) -> tuple[int, int]:
    """Return width and height, the longer of `low` to `high` pixels."""
    long = int(rng.integers(low, high + 1))
    short = round(long / rng.uniform(1.0, 1.8))
    return (long, short) if rng.random() < 0.6 else (short, long)


def _add_shape(rng: Generator, canvas: _Canvas, style: Style) -> None:
    """Draw a shape at a random place where it hides no other one too far, if there is one."""
    height, width = canvas.owner.shape
    low, high = (min(width, height) * size for size in _SIZES)
    for attempt in range(_TRIES):
        top = high * (low / high) ** (attempt / _TRIES)
        diameter = float(np.exp(rng.uniform(np.log(low), np.log(top))))
        center = rng.uniform(0.1, 0.9, 2) * (width, height)
        if canvas.alphas and rng.random() < 0.3:
            base = int(rng.integers(len(canvas.alphas)))
            diameter = max(8.0, canvas.diameters[base] * rng.uniform(*_PART_SIZES))
            center = _point_on(rng, canvas.owner == base, center)
        alpha = _draw_alpha(rng, center, diameter, (width, height))
        if alpha is not None and _keeps_visible(canvas, alpha >= 0.5):
            _paint(rng, canvas, alpha, style)
            canvas.diameters.append(diameter)
            return


def _point_on(rng: Generator, region: Mask, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x, y of a pixel well inside a region."""
    distance = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3)
    ys, xs = np.nonzero(distance > 0.5 * distance.max()) if distance.max() > 3 else ((), ())
    if not len(ys):
        return otherwise
    pick = rng.integers(len(ys))
    return np.array([xs[pick], ys[pick]], np.float64)


def _keeps_visible(canvas: _Canvas, shape: Mask) -> bool:
    if shape.sum() < 24:
        return False
    for number, alpha in enumerate(canvas.alphas):
        seen = (canvas.owner == number) & ~shape
        if seen.sum() < _MIN_VISIBLE * (alpha >= 0.5).sum():
            return False
    return True


def _outline(rng: Generator, name: str) -> NDArray[np.float64]:
    """Return the corners of a shape, float64 (n, 2), of circumradius 1 around (0, 0)."""
    if name == "star":
        turns, radii = np.arange(10) / 10, np.tile([1.0, rng.uniform(0.4, 0.6)], 5)
    elif name == "cross":
        arm = rng.uniform(0.25, 0.45)
        quarter = np.array([[arm, -1.0], [arm, -arm], [1.0, -arm]])
        turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
        parts = [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
        return np.asarray(np.concatenate(parts) / np.hypot(1.0, arm), np.float64)
    elif name == "rectangle":
        turns, radii = np.array([1, 3, 5, 7]) / 8, np.ones(4)
    elif name == "polygon":
        sides = int(rng.choice([3, 3, 5, 6, 8]))
        turns, radii = np.arange(sides) / sides, np.ones(sides)
    elif name == "blob":
        turns, waves = np.arange(90) / 90, rng.uniform(-0.15, 0.15, (2, 3))
        phases = 2 * np.pi * turns[:, None] * np.array([2, 3, 5])
        radii = 0.75 + np.sin(phases) @ waves[0] + np.cos(phases) @ waves[1]
    else:
        turns, radii = np.arange(120) / 120, np.ones(120)
    angles = 2 * np.pi * turns
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _draw_alpha(
    rng: Generator, center: NDArray[np.float64], diameter: float, size_wh: tuple[int, int]
) -> Floats | None:
    """Draw a shape's opacity, float32 (height, width), 0 to 1; None if it lies outside."""
    width, height = size_wh
    name = str(rng.choice(SHAPES))
    aspect = rng.uniform(0.45, 1.0) if name in {"ellipse", "rectangle", "blob"} else 1.0
    corners = _outline(rng, name) * (1.0, aspect)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else 0.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = corners @ rotation.T * (diameter / 2) + center
    stroke = max(3.0, diameter * rng.uniform(0.1, 0.2)) if name == "ring" else 0.0
    low = np.floor(corners.min(axis=0) - stroke / 2 - 1).astype(int)
    high = np.ceil(corners.max(axis=0) + stroke / 2 + 1).astype(int)
    fine = np.zeros(((high[1] - low[1]) * _FINE, (high[0] - low[0]) * _FINE), np.uint8)
    points = np.rint((corners - low) * _FINE - 0.5).astype(np.int32)  # cv2 counts pixel centres
    if stroke:
        cv2.polylines(fine, [points], True, 255, round(stroke * _FINE))
    else:
        cv2.fillPoly(fine, [points], 255)
    stamp = cv2.resize(fine, tuple(high - low), interpolation=cv2.INTER_AREA)
    first, last = np.maximum(low, 0), np.minimum(high, (width, height))
    if (first >= last).any():
        return None
    alpha = np.zeros((height, width), np.float32)
    window = stamp[first[1] - low[1] : last[1] - low[1], first[0] - low[0] : last[0] - low[0]]
    alpha[first[1] : last[1], first[0] : last[0]] = window / np.float32(255)
    return alpha


def _random_colour(rng: Generator, style: Style, shape: bool) -> Floats:
    """Return RGB, float32 (3,), 0 to 255; in clean pictures pale backgrounds and bold shapes."""
    if style == "rough":
        pure = rng.random() < 0.25  # black, white, red, yellow …: what people draw with
        colour = rng.integers(0, 2, 3) * 255.0 if pure else rng.uniform(0, 255, 3)
        return np.asarray(colour, np.float32)
    saturation, value = (rng.uniform(0.4, 1), rng.uniform(0.4, 1)) if shape else (0.06, 0.97)
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation, value)
    return 255 * np.array(rgb, np.float32)


def _paint(rng: Generator, canvas: _Canvas, alpha: Floats, style: Style) -> None:
    """Paint a shape in a colour that contrasts with all that it touches."""
    shape = alpha >= 0.5
    around = cv2.dilate(shape.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    touched = [canvas.colours[number] for number in np.unique(canvas.owner[around]) if number >= 0]
    ground = canvas.pixels[around & (canvas.owner < 0)]
    if len(ground):
        touched.extend(np.quantile(ground, (0.05, 0.5, 0.95), axis=0))
    colour = _choose_colour(rng, canvas, touched, style)
    shade = np.float32(1)
    if rng.random() < 0.3:  # a soft gradient over the picture
        ys, xs = np.mgrid[0 : alpha.shape[0], 0 : alpha.shape[1]].astype(np.float32)
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.3)
        along = (np.cos(angle) * xs + np.sin(angle) * ys) / max(alpha.shape)
        shade = (1 + depth * (along - along[shape].mean()))[..., None].astype(np.float32)
    canvas.pixels += alpha[..., None] * (np.clip(colour * shade, 0, 255) - canvas.pixels)
    canvas.owner[shape] = len(canvas.alphas)
    canvas.alphas.append(alpha)
    canvas.colours.append(colour)


def _choose_colour(
    rng: Generator, canvas: _Canvas, touched: Sequence[Floats], style: Style
) -> Floats:
    """Return a colour; sometimes that of an earlier shape, so that colours alone decide nothing."""
    for attempt in range(40):
        colour = _random_colour(rng, style, shape=True)
        if canvas.colours and attempt < 3 and rng.random() < 0.4:
            colour = canvas.colours[int(rng.integers(len(canvas.colours)))]
        if all(np.linalg.norm(colour - other) >= _CONTRAST for other in touched):
            break
    return colour


def _draw_ground(rng: Generator, width: int, height: int, style: Style) -> Floats:
    """Draw a background, float32 (height, width, 3): plain, gradient, stripes or noise."""
    kinds = ("plain", "gradient", "stripes", "noise")
    kind = str(rng.choice(kinds[:2] if style == "clean" else kinds))
    first = _random_colour(rng, style, shape=False)
    if kind == "plain":
        return np.broadcast_to(first, (height, width, 3)).copy()
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    along = np.cos(angle) * xs + np.sin(angle) * ys  # pixels in the direction of the angle
    # Stripes, noise and gradients vary little around one colour, so that the shapes stand out.
    second = np.clip(first + rng.uniform(-40, 40, 3), 0, 255).astype(np.float32)
    if kind == "gradient":
        mix = (along - along.min()) / np.ptp(along)
    elif kind == "stripes":
        mix = ((along / rng.uniform(6, 40)) % 2 < 1).astype(np.float32)
    else:
        grains = rng.random((height // 4 + 1, width // 4 + 1), np.float32)
        mix = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
    mix = mix[..., None].astype(np.float32)
    return np.asarray((1 - mix) * first + mix * second, np.float32)


def _roughen(rng: Generator, pixels: Floats) -> Floats:
    """Blur by up to 1 pixel and add noise of up to 10 levels, each to half of the pictures."""
    if rng.random() < 0.5:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
    if rng.random() < 0.5:
        noise = rng.standard_normal(pixels.shape, np.float32)
        pixels = pixels + noise * np.float32(rng.uniform(2, 10))
    return pixels
