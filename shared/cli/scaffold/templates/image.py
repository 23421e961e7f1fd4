"""Regions on images."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.media.image import Image
from shared.results import (
    Bitmask,
    Brush,
    Ellipse,
    ImageSize,
    KeyPoint,
    Polygon,
    Rectangle,
    Region,
    Vector,
    polygons,
    region,
)


class Found(NamedTuple):
    """What the model found in an image: `box` is left, top, right, bottom in pixels.

    The mask has the image's own size: shape (height, width).
    """

    name: str
    score: float
    size: ImageSize
    box: tuple[float, float, float, float]
    mask: NDArray[np.bool_]


class Model:
    """A stand-in: it finds what has another colour than the corner. Put yours in its place."""

    classes = ("Spot",)

    def predict(self, images: list[Image]) -> list[list[Found]]:
        """What is in each image."""
        return [find(image) for image in images]


def find(image: Image) -> list[Found]:
    """All that differs from the image's corner, as one thing."""
    differs = np.abs(image.pixels.astype(int) - image.pixels[0, 0]).max(axis=2)
    mask = differs > 40
    if not mask.any():
        return []
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    return [Found("Spot", float(differs[mask].mean()) / 255, image.size, box, mask)]


def brightness(image: Image) -> float:
    """How bright an image is, from 0 to 1."""
    return float(image.pixels.mean()) / 255


class Labelled(Backend):
    """For control tags with labels."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        labels = claim.labels_for(Model.classes)
        for found in output:
            if found.name in labels:
                marks = {claim.control: [labels[found.name]]}
                yield region(shape(found), marks, found.size, found.score)


class Bare(Backend):
    """For control tags without labels."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        for found in output:
            yield region(shape(found), {claim.control: None}, found.size, found.score)


def shape(found: Found) -> Rectangle:
    """The box of what was found."""
    return Rectangle.from_xyxy(found.box)


def ellipse(found: Found) -> Ellipse:
    """The ellipse in the box of what was found."""
    left, top, right, bottom = found.box
    middle = (left + right) / 2, (top + bottom) / 2
    return Ellipse(*middle, (right - left) / 2, (bottom - top) / 2)


def key_point(found: Found) -> KeyPoint:
    """The middle of what was found."""
    left, top, right, bottom = found.box
    return KeyPoint((left + right) / 2, (top + bottom) / 2)


def polygon(found: Found) -> Polygon:
    """The outline of the largest part of what was found."""
    return polygons(found.mask)[0]


def brush(found: Found) -> Brush:
    """Each pixel of what was found."""
    return Brush(found.mask)


def bitmask(found: Found) -> Bitmask:
    """Each pixel of what was found."""
    return Bitmask(found.mask)


def vector(found: Found) -> Vector:
    """A line through the box of what was found."""
    left, top, right, bottom = found.box
    return Vector([(left, top), (right, bottom)])
