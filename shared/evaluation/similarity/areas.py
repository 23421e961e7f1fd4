"""Overlap of areas on images: boxes, outlines, masks, and lines as bands."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.similarity.boxes import box_iou
from shared.evaluation.similarity.masks import Masks, mask_iou, resize_mask
from shared.evaluation.similarity.outlines import bands_along, draw_inside, outline_iou, outlines_of
from shared.results import Bitmask, Brush, ParsedRegion, Rectangle

Floats = NDArray[np.float64]

# An open vector is compared as a band of this width, as a part of the image's size (the side of a
# square with the image's area): 2 lines overlap by half when they are a third of it apart.
BAND_WIDTH = 0.02


def area_iou(predicted: Sequence[ParsedRegion], truth: Sequence[ParsedRegion]) -> Floats:
    """Return the IoU of each two areas, shape (predicted, truth).

    Upright boxes by COCO's own formula; outlines by exact geometry, ellipses as polygons of 360
    corners and equal area; a mask and anything else by the mask's pixels, of which those are
    inside an outline whose centre is. Regions whose results tell different sizes of the image are
    compared in percent, as the editor shows them.
    """
    size = truth[0].source
    shapes, true_shapes = shapes_on(predicted, size), shapes_on(truth, size)
    if all(map(_is_upright, shapes)) and all(map(_is_upright, true_shapes)):
        return box_iou(_as_xywh(shapes), _as_xywh(true_shapes))
    if not any(isinstance(shape, Brush | Bitmask) for shape in (*shapes, *true_shapes)):
        return outline_iou(outlines_of(shapes), outlines_of(true_shapes))
    return _mixed_iou(shapes, true_shapes)


def line_iou(predicted: Sequence[ParsedRegion], truth: Sequence[ParsedRegion]) -> Floats:
    """Return the IoU of each two open vectors as bands along them, shape (predicted, truth)."""
    size = truth[0].source
    width = BAND_WIDTH * (size.width * size.height) ** 0.5
    bands, true_bands = (
        bands_along(shapes_on(regions, size), width) for regions in (predicted, truth)
    )
    return outline_iou(bands, true_bands)


def bounding_area(region: ParsedRegion) -> float:
    """Return the area of the upright box around an area, in square pixels."""
    if isinstance(region.shape, Brush | Bitmask):
        rows, columns = (np.flatnonzero(region.shape.mask.any(axis=axis)) for axis in (1, 0))
        return float(np.ptp(rows) + 1) * float(np.ptp(columns) + 1) if len(rows) else 0.0
    left, top, right, bottom = outlines_of([region.shape])[0].bounds or (0.0,) * 4
    return float((right - left) * (bottom - top))


def shapes_on(regions: Sequence[ParsedRegion], size: Any) -> list[Any]:
    """Return the shapes in pixels of an image of `size`, whatever size their results tell."""
    return [region.shape if region.source == size else _resize(region, size) for region in regions]


def _mixed_iou(predicted: Sequence[Any], truth: Sequence[Any]) -> Floats:
    """Compare shapes of which some are masks; two outlines are still compared exactly."""
    all_shapes = (*predicted, *truth)
    canvas = next(np.shape(one.mask) for one in all_shapes if isinstance(one, Brush | Bitmask))
    masks, true_masks = ([_as_mask(one, canvas) for one in found] for found in (predicted, truth))
    found = mask_iou(masks, true_masks)
    rows, columns = (
        [at for at, one in enumerate(shapes) if not isinstance(one, Brush | Bitmask)]
        for shapes in (predicted, truth)
    )
    if rows and columns:
        outlines = outlines_of([predicted[row] for row in rows])
        true_outlines = outlines_of([truth[column] for column in columns])
        found[np.ix_(rows, columns)] = outline_iou(outlines, true_outlines)
    return found


def _as_mask(shape: Any, canvas: tuple[int, ...]) -> Masks:
    if isinstance(shape, Brush | Bitmask):
        inside = np.asarray(shape.mask) != 0
        return inside if inside.shape == canvas else resize_mask(inside, canvas[1], canvas[0])
    return draw_inside(outlines_of([shape])[0], canvas[1], canvas[0])


def _resize(region: ParsedRegion, size: Any) -> Any:
    shape: Any = region.shape
    if isinstance(shape, Brush | Bitmask):
        return type(shape)(resize_mask(np.asarray(shape.mask) != 0, size.width, size.height))
    return type(shape).from_value(shape.to_value(region.source)[0], size)


def _is_upright(shape: Any) -> bool:
    return type(shape) is Rectangle and not shape.rotation % 360


def _as_xywh(boxes: Sequence[Rectangle]) -> Floats:
    return np.array([(box.x, box.y, box.width, box.height) for box in boxes], np.float64)
