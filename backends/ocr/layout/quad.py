"""Four corners on an image, and the pixels inside them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# shape (4, 2): clockwise from the corner that is top left as the text is read
Quad = NDArray[Any]
Pixels = NDArray[np.uint8]

# The height at which lines are recognized.
LINE_HEIGHT_PIXELS = 48
# Lines that are this many times higher are scaled down smoothly first: without that, thin strokes
# vanish.
SMOOTH_SCALING_RATIO = 1.5
# The contrast of a page whose gray values span less than this is stretched …
LOW_CONTRAST_RANGE = 110
# … unless they span so little that the page is blank.
BLANK_RANGE = 4


def text_length(quad: Quad) -> float:
    """Return the extent along the text."""
    return float(max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])))


def text_height(quad: Quad) -> float:
    """Return the extent across the text."""
    return float(max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1])))


def roll_corners(quad: Quad, turns: int) -> Quad:
    """Return the same quadrilateral as it is read after `turns` quarter turns, clockwise."""
    return np.roll(quad, -turns, axis=0)


def order_corners(corners: Quad) -> Quad:
    """Order corners clockwise from the top left; the two leftmost are the left side."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (side[np.argsort(side[:, 1], kind="stable")] for side in (by_x[:2], by_x[2:]))
    return np.array([left[0], right[0], right[1], left[1]], dtype=np.float32)


def crop_quad(pixels: Pixels, quad: Quad, keep_height: bool = False) -> Pixels:
    """Return the pixels in a quadrilateral, upright as they are read.

    High ones are scaled to LINE_HEIGHT_PIXELS unless `keep_height`.
    """
    width, height = max(1, round(text_length(quad))), max(1, round(text_height(quad)))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, dtype=np.float32), target)
    crop = cv2.warpPerspective(
        pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC
    )
    if height > SMOOTH_SCALING_RATIO * LINE_HEIGHT_PIXELS and not keep_height:
        size = max(1, round(width * LINE_HEIGHT_PIXELS / height)), LINE_HEIGHT_PIXELS
        crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return np.asarray(crop, dtype=np.uint8)


def sub_quad(quad: Quad, part: tuple[float, float, float, float]) -> Quad:
    """Return the part from (left, top) to (right, bottom), each from 0 to 1 of the sides."""
    left, top, right, bottom = part
    positions = ((left, top), (right, top), (right, bottom), (left, bottom))
    upper_side, lower_side = quad[:2], quad[[3, 2]]
    sides = [upper_side + y * (lower_side - upper_side) for _, y in positions]
    return np.array(
        [side[0] + x * (side[1] - side[0]) for side, (x, _) in zip(sides, positions, strict=True)]
    )


def stretch_contrast(pixels: Pixels) -> Pixels:
    """Return a faint page with its gray values spread; any other page unchanged."""
    sample = pixels[::4, ::4]
    if not sample.size:
        return pixels
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    if not BLANK_RANGE < high - low < LOW_CONTRAST_RANGE:
        return pixels
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), dtype=np.uint8)


def enclosing_quad(quads: Sequence[Quad]) -> Quad:
    """Return the smallest rotated rectangle around quadrilaterals."""
    points = np.concatenate([np.asarray(quad, dtype=np.float32) for quad in quads])
    return order_corners(np.asarray(cv2.boxPoints(cv2.minAreaRect(points))))


def overlap_ratio(one: Quad, other: Quad) -> float:
    """Return the area of the intersection, as a part of the smaller quadrilateral's."""
    first, second = (np.asarray(quad, dtype=np.float32) for quad in (one, other))
    intersection, _ = cv2.intersectConvexConvex(first, second)
    smaller = min(abs(cv2.contourArea(first)), abs(cv2.contourArea(second)))
    return float(intersection / smaller) if smaller else 0.0
