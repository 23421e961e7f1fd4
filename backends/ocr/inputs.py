"""The input of a task: its images, or the part of one that the user has just drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from backends.ocr.layout.page import Page
from backends.ocr.layout.quad import Pixels, crop_quad
from backends.ocr.tag_groups import DRAWING_TAGS
from shared.backend import LabelConfig, ObjectTag
from shared.backend.drawn_regions import read_drawn_regions
from shared.errors import TaskError
from shared.media.image import Image
from shared.results import ParsedRegion, Polygon, Rectangle

# A drawn part gets margins up to this size: engines read text at an image's edge badly.
MIN_SIDE_PIXELS = 240
# Its margins at least: a part of its shorter side, and some pixels.
MARGIN_RATIO = 0.1
MIN_MARGIN_PIXELS = 4


@dataclass(frozen=True)
class OcrInput:
    """The images of one task, each with its `item_index` (None where the tag shows one)."""

    images: Sequence[tuple[int | None, Image]] = ()
    drawn: ParsedRegion | None = None

    def split_images(self) -> "Sequence[OcrInput]":
        """Return an input for each image; itself if there is none."""
        return [OcrInput((image,), self.drawn) for image in self.images] or [self]

    def with_pages(self, pages: Sequence[Page]) -> "OcrOutput":
        """Return the output whose pages were read on the images."""
        indices = [index for index, _ in self.images]
        return OcrOutput(list(zip(indices, pages, strict=True)), self.drawn)


@dataclass(frozen=True)
class OcrOutput:
    """The pages of one task with their `item_index`; if the user drew a region, of that alone."""

    pages: Sequence[tuple[int | None, Page]] = ()
    drawn: ParsedRegion | None = None

    @classmethod
    def join(cls, outputs: "Sequence[OcrOutput]") -> "OcrOutput":
        """Join the outputs of all images of one task."""
        return cls([page for output in outputs for page in output.pages], outputs[0].drawn)


def last_drawn_region(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> ParsedRegion | None:
    """Return the region that the user drew last on an image; None if text cannot be in it."""
    for region in read_drawn_regions(context, config, target):
        has_area = isinstance(region.shape, Rectangle | Polygon)
        if has_area and any(control.tag in DRAWING_TAGS for control in region.values):
            return region
    return None


def crop_region(image: Image, region: ParsedRegion) -> Image:
    """Return the pixels inside a drawn rectangle or polygon, upright, with margins of paper.

    The shape is scaled if the editor showed the image in another size.
    """
    points = np.array(_region_points(region), dtype=np.float32)
    if region.source and tuple(region.source) != tuple(image.size):
        points *= np.array(image.size, np.float32) / np.array(region.source, np.float32)
    if len(points) < 3:
        raise TaskError(f'The drawn region "{region.id}" has no area')
    if isinstance(region.shape, Rectangle):
        crop = crop_quad(image.pixels, points, keep_height=True)
    else:
        crop = _crop_polygon(image.pixels, points)
    return Image(_add_margin(crop))


def _region_points(region: ParsedRegion) -> Sequence[Sequence[float]]:
    shape = region.shape
    return shape.corners() if isinstance(shape, Rectangle) else shape.points  # type: ignore[attr-defined]


def _crop_polygon(pixels: Pixels, points: Any) -> Pixels:
    """Return a polygon's bounding box, with the outside painted in the color of its paper."""
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(points.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)), (left + 1, top + 1), (width, height))
    crop = pixels[top : int(bottom), left : int(right)].copy()
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points - (left, top)).astype(np.int32)], 1)
    if mask.any():
        crop[mask == 0] = np.median(crop[mask == 1], axis=0)
    return crop


def _add_margin(crop: Pixels) -> Pixels:
    height, width = crop.shape[:2]
    margin = MIN_MARGIN_PIXELS + int(MARGIN_RATIO * min(height, width))
    vertical, horizontal = (max(margin, (MIN_SIDE_PIXELS - side) // 2) for side in (height, width))
    paper = tuple(int(value) for value in np.median(crop.reshape(-1, 3), axis=0))
    framed = cv2.copyMakeBorder(
        crop, vertical, vertical, horizontal, horizontal, cv2.BORDER_CONSTANT, value=paper
    )
    return np.asarray(framed, dtype=np.uint8)
