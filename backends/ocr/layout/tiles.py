"""Long pages in overlapping tiles; lines on a seam are found once."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from backends.ocr.layout.quad import Pixels, Quad, around, common, thickness

# Pixels of an image's longer side at which text is looked for.
MOST = 2000
# Times that a page is longer than wide from which on it is cut into tiles.
LONG = 2.5
# A tile's length, in page widths.
TILE = 2.0
# What two neighbours have in common, in page widths.
OVERLAP = 0.4


def tiles(pixels: Pixels) -> Iterator[tuple[int, int, Pixels]]:
    """(left, top, pixels) of each tile; the whole image if it need not be cut."""
    height, width = pixels.shape[:2]
    short, long = min(height, width), max(height, width)
    if long <= MOST or long < LONG * short:
        yield 0, 0, pixels
        return
    length = max(int(TILE * short), MOST // 2)
    step = length - int(OVERLAP * length / TILE)
    for start in range(0, max(1, long - length + step), step):
        if height > width:
            yield 0, start, np.ascontiguousarray(pixels[start : start + length])
        else:
            yield start, 0, np.ascontiguousarray(pixels[:, start : start + length])


def scaled(pixels: Pixels) -> tuple[Pixels, float]:
    """At most MOST pixels long, and how many times as large as before."""
    ratio = MOST / max(pixels.shape[:2])
    if ratio >= 1:
        return pixels, 1.0
    small = cv2.resize(pixels, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), ratio


def widened(pixels: Pixels) -> Pixels:
    """A strip with paper to its right or below, so that the detector does not blow it up."""
    height, width = pixels.shape[:2]
    least = math.ceil(max(height, width) / LONG)
    below, right = max(0, least - height), max(0, least - width)
    if not below and not right:
        return pixels
    paper = tuple(int(value) for value in np.median(pixels.reshape(-1, 3), axis=0))
    framed = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=paper)
    return np.asarray(framed, dtype=np.uint8)


def merged(found: Sequence[Sequence[Quad]]) -> list[Quad]:
    """The quadrilaterals of all tiles; what two tiles saw of one line is one."""
    kept: list[Quad] = []
    for quads in found:
        before = len(kept)
        for quad in quads:
            place = next((n for n in range(before) if common(kept[n], quad) > 0.1), None)
            both = None if place is None else around([kept[place], quad])
            if place is None or both is None:
                kept.append(quad)
            elif _one_line(kept[place], quad, both):
                kept[place] = both
            elif common(kept[place], quad) < 0.5:
                kept.append(quad)
    return kept


def _one_line(one: Quad, other: Quad, both: Quad) -> bool:
    thick = [min(thickness(q), float(np.linalg.norm(q[1] - q[0]))) for q in (one, other, both)]
    return thick[2] <= 1.3 * max(thick[:2])
