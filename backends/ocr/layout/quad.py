"""Four corners on an image, and the pixels inside them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# shape (4, 2): clockwise from the one that is top left as the text is read.
Quad = NDArray[Any]
Pixels = NDArray[np.uint8]

# Pixels of height at which lines are recognized; much taller ones are made smaller smoothly.
READ_HEIGHT = 48
# A page whose grays span less than this is stretched.
LOW_CONTRAST = 110


def width(quad: Quad) -> float:
    """Along the text."""
    return float(max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])))


def thickness(quad: Quad) -> float:
    """Across the text."""
    return float(max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1])))


def rolled(quad: Quad, turns: int) -> Quad:
    """The same quadrilateral, read after that many quarter turns clockwise."""
    return np.roll(quad, -turns, axis=0)


def ordered(corners: Quad) -> Quad:
    """Clockwise from the top left: the two leftmost corners are the left side."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (side[np.argsort(side[:, 1], kind="stable")] for side in (by_x[:2], by_x[2:]))
    return np.array([left[0], right[0], right[1], left[1]], dtype=np.float32)


def crop(pixels: Pixels, quad: Quad, tall: bool = False) -> Pixels:
    """What lies in a quadrilateral, upright as it is read; `tall` keeps its height."""
    across, down = max(1, round(width(quad))), max(1, round(thickness(quad)))
    target = np.array([[0, 0], [across, 0], [across, down], [0, down]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, dtype=np.float32), target)
    cut = cv2.warpPerspective(
        pixels, matrix, (across, down), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC
    )
    if down > 1.5 * READ_HEIGHT and not tall:
        size = max(1, round(across * READ_HEIGHT / down)), READ_HEIGHT
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cut, dtype=np.uint8)


def within(quad: Quad, part: tuple[float, float, float, float]) -> Quad:
    """The part of a quadrilateral from (left, top) to (right, bottom), each from 0 to 1."""
    left, top, right, bottom = part
    places = ((left, top), (right, top), (right, bottom), (left, bottom))
    start, end = quad[:2], quad[[3, 2]]  # the upper and the lower side
    sides = [start + down * (end - start) for _, down in places]
    return np.array(
        [side[0] + n * (side[1] - side[0]) for side, (n, _) in zip(sides, places, strict=True)]
    )


def stretched(pixels: Pixels) -> Pixels:
    """A faint page with its grays spread; any other as it is."""
    sample = pixels[::4, ::4]
    if not sample.size:
        return pixels
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    if not 4 < high - low < LOW_CONTRAST:
        return pixels
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), dtype=np.uint8)


def around(quads: Sequence[Quad]) -> Quad:
    """The smallest turned rectangle around quadrilaterals."""
    points = np.concatenate([np.asarray(quad, dtype=np.float32) for quad in quads])
    return ordered(np.asarray(cv2.boxPoints(cv2.minAreaRect(points))))


def common(one: Quad, other: Quad) -> float:
    """The area of both, as a part of the smaller one's."""
    first, second = (np.asarray(quad, dtype=np.float32) for quad in (one, other))
    inside, _ = cv2.intersectConvexConvex(first, second)
    smaller = min(abs(cv2.contourArea(first)), abs(cv2.contourArea(second)))
    return float(inside / smaller) if smaller else 0.0
