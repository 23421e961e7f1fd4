"""Long pages in overlapping tiles, such that a line on a seam is found once."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from backends.ocr.layout.quad import (
    Pixels,
    Quad,
    enclosing_quad,
    overlap_ratio,
    text_height,
)

# The longer side of an image when lines are searched, at most.
MAX_SIDE_PIXELS = 2000
# Pages that are this many times longer than wide are split into tiles.
LONG_PAGE_RATIO = 2.5
# Length of a tile, in page widths.
TILE_LENGTH = 2.0
# What two neighbouring tiles share, in page widths: more than the height of a line.
TILE_OVERLAP = 0.4
# Quads of two tiles that overlap by more than this may be of one line …
SAME_LINE_OVERLAP = 0.1
# … if the rectangle around both is at most this many times higher than either.
SAME_LINE_HEIGHT_RATIO = 1.3
# Quads that overlap by this much without being of one line are the same find twice.
DUPLICATE_OVERLAP = 0.5


def split_tiles(pixels: Pixels) -> Iterator[tuple[int, int, Pixels]]:
    """Yield (left, top, pixels) of each tile; the whole image if it need not be split."""
    height, width = pixels.shape[:2]
    short, long = min(height, width), max(height, width)
    if long <= MAX_SIDE_PIXELS or long < LONG_PAGE_RATIO * short:
        yield 0, 0, pixels
        return
    length = max(int(TILE_LENGTH * short), MAX_SIDE_PIXELS // 2)
    step = length - int(TILE_OVERLAP * length / TILE_LENGTH)
    for start in range(0, max(1, long - length + step), step):
        if height > width:
            yield 0, start, np.ascontiguousarray(pixels[start : start + length])
        else:
            yield start, 0, np.ascontiguousarray(pixels[:, start : start + length])


def limit_size(pixels: Pixels) -> tuple[Pixels, float]:
    """Scale an image down to MAX_SIDE_PIXELS; return it and the scale, 1.0 if it fits."""
    ratio = MAX_SIDE_PIXELS / max(pixels.shape[:2])
    if ratio >= 1:
        return pixels, 1.0
    scaled = cv2.resize(pixels, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8), ratio


def pad_strip(pixels: Pixels) -> Pixels:
    """Add paper to the right of or below a narrow strip.

    The detector enlarges an image until its shorter side has MIN_SIDE_PIXELS; the longer side of
    a strip would become huge.
    """
    height, width = pixels.shape[:2]
    min_side = math.ceil(max(height, width) / LONG_PAGE_RATIO)
    below, right = max(0, min_side - height), max(0, min_side - width)
    if not below and not right:
        return pixels
    paper = tuple(int(value) for value in np.median(pixels.reshape(-1, 3), axis=0))
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=paper)
    return np.asarray(padded, dtype=np.uint8)


def merge_tiles(quads_by_tile: Sequence[Sequence[Quad]]) -> list[Quad]:
    """Return the quads of all tiles; what two tiles saw of one line becomes one quad."""
    merged: list[Quad] = []
    for quads in quads_by_tile:
        earlier = len(merged)  # quads of one tile are never merged with each other
        for quad in quads:
            index = next(
                (n for n in range(earlier) if overlap_ratio(merged[n], quad) > SAME_LINE_OVERLAP),
                None,
            )
            if index is None:
                merged.append(quad)
                continue
            union = enclosing_quad([merged[index], quad])
            if _is_one_line(merged[index], quad, union):
                merged[index] = union
            elif overlap_ratio(merged[index], quad) < DUPLICATE_OVERLAP:
                merged.append(quad)
    return merged


def _is_one_line(one: Quad, other: Quad, union: Quad) -> bool:
    heights = [min(text_height(quad), _upper_side(quad)) for quad in (one, other, union)]
    return heights[2] <= SAME_LINE_HEIGHT_RATIO * max(heights[:2])


def _upper_side(quad: Quad) -> float:
    return float(np.linalg.norm(quad[1] - quad[0]))
