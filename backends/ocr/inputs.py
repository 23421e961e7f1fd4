"""What is read of a task: its images, or the part of one that the user has just drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from backends.ocr.layout.page import Page
from backends.ocr.layout.quad import Pixels, crop
from backends.ocr.tag_groups import KINDS
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.media.image import Image
from shared.results import ParsedRegion, Polygon, Rectangle, parse_regions

DRAWN = frozenset(tag for tags in KINDS.values() for tag in tags)
# Pixels that a part has on each side at least; what is missing is paper around it.
LEAST = 240
# Paper around a part, in heights.
MARGIN = 0.1


@dataclass(frozen=True)
class Sheets:
    """The images of one task, each with its `item_index` (None where it has but one)."""

    images: Sequence[tuple[int | None, Image]] = ()
    drawn: ParsedRegion | None = None

    def single(self) -> "Sequence[Sheets]":
        """Each image by itself; itself if there is none."""
        return [Sheets((image,), self.drawn) for image in self.images] or [self]

    def answered(self, pages: Sequence[Page]) -> "Pages":
        """What was read on them."""
        places = [index for index, _ in self.images]
        return Pages(list(zip(places, pages, strict=True)), self.drawn)


@dataclass(frozen=True)
class Pages:
    """What was read of one task; if the user drew a region, in that region alone."""

    pages: Sequence[tuple[int | None, Page]] = ()
    drawn: ParsedRegion | None = None

    @classmethod
    def of(cls, parts: "Sequence[Pages]") -> "Pages":
        """Those of all images of one task."""
        return cls([page for part in parts for page in part.pages], parts[0].drawn)


def drawn_in(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> ParsedRegion | None:
    """The region that the user has drawn last on an image; None if there is none to read in."""
    try:
        readings = parse_regions(context.get("result") or (), config)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TaskError(f"The drawn region cannot be read: {error!r}") from None
    for reading in reversed(readings):
        control = next(iter(reading.marks))
        fits = control.to_name == target.name and isinstance(reading.shape, Rectangle | Polygon)
        if fits and any(mark.tag in DRAWN for mark in reading.marks):
            return reading
    return None


def part(image: Image, drawn: ParsedRegion) -> Image:
    """The pixels inside a drawn rectangle or polygon, upright, with paper around them.

    The shape is scaled if the editor saw the image in another size.
    """
    points = np.array(_points(drawn), dtype=np.float32)
    if drawn.on and tuple(drawn.on) != tuple(image.size):
        points *= np.array(image.size, np.float32) / np.array(drawn.on, np.float32)
    if len(points) < 3:
        raise TaskError(f'The drawn region "{drawn.id}" has no area')
    if isinstance(drawn.shape, Rectangle):
        cut = crop(image.pixels, points, tall=True)
    else:
        cut = _inside(image.pixels, points)
    return Image(_on_paper(cut))


def _points(drawn: ParsedRegion) -> Sequence[Sequence[float]]:
    shape = drawn.shape
    return shape.corners() if isinstance(shape, Rectangle) else shape.points  # type: ignore[attr-defined]


def _inside(pixels: Pixels, points: Any) -> Pixels:
    """A polygon's bounding box, with the outside in the colour of its paper."""
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(points.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)), (left + 1, top + 1), (width, height))
    cut = pixels[top : int(bottom), left : int(right)].copy()
    mask = np.zeros(cut.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points - (left, top)).astype(np.int32)], 1)
    if mask.any():
        cut[mask == 0] = np.median(cut[mask == 1], axis=0)
    return cut


def _on_paper(cut: Pixels) -> Pixels:
    height, width = cut.shape[:2]
    margin = 4 + int(MARGIN * min(height, width))
    down, across = (max(margin, (LEAST - size) // 2) for size in (height, width))
    paper = tuple(int(value) for value in np.median(cut.reshape(-1, 3), axis=0))
    framed = cv2.copyMakeBorder(cut, down, down, across, across, cv2.BORDER_CONSTANT, value=paper)
    return np.asarray(framed, dtype=np.uint8)
