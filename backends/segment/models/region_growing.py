"""Regions of like colour around clicks, and in a box: how the starter finds drawn shapes.

A click's region is what is connected with it and of its colour, or changes slowly; pixels at its
edge go to the side whose colour is nearer. Holes belong to it, but for those that show what is
beyond it. In a box is what is not connected with the outside. A negative click's region is taken
away.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Region = NDArray[np.bool_]

# Noise of fewer levels than this is left as it is, and with it the edges.
MIN_NOISE = 1.5
# How far colours may be, in levels of each channel: from that of the seed, and from that of the
# neighbour, which follows gradients. The strict one shows what the former leaves uncertain.
SEED_TOLERANCE, STRICT_TOLERANCE, NEIGHBOUR_TOLERANCE = 28, 14, 3
# Seeds on each side of a box, and how far from it they are, in pixels and in parts of the side.
SEEDS_PER_SIDE = 8
RING_PIXELS, RING_FRACTION = 3.0, 0.02
# What lies in a box by this fraction belongs to it, and how far beyond it is looked, in pixels and
# in parts of the side.
INSIDE = 0.9
SHOWN_PIXELS, SHOWN_FRACTION = 16, 0.3
# The side of the window in which the colours on both sides of an edge are taken, and how far from
# a region's edge pixels are assigned anew, in pixels.
EDGE_WINDOW, EDGE_REACH = 9, 2
# Holes of fewer pixels are noise. Through others one sees beyond a region if this fraction of
# their pixels has a colour that is common around it: of this fraction of the pixels there.
MIN_HOLE_PIXELS = 6
SEEN_THROUGH, MIN_COMMON = 0.6, 0.02
# Colours are compared in cells of so many levels of each channel.
CELL_LEVELS, CELLS_PER_CHANNEL = 16, 16
_FLAGS = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY

Seeds = Sequence[Sequence[float]]


class SeedGroups(NamedTuple):
    """Clicks x, y in pixels of the image, and a box x1, y1, x2, y2; None without one."""

    positive: Seeds
    negative: Seeds
    box: Sequence[float] | None


def noise_level(image: Pixels) -> float:
    """Return the standard deviation of an image's noise, in levels, as its Laplacian shows it.

    J. Immerkaer, Fast Noise Variance Estimation, 1996; the median leaves edges out.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    edges = cv2.filter2D(image, cv2.CV_32F, kernel)
    return float(np.median(np.abs(edges)) / 0.6745 / 6)


def smooth(image: Pixels) -> Pixels:
    """Return the image without the noise that would end regions."""
    level = noise_level(image)
    if level < MIN_NOISE:
        return image
    smoothed = cv2.fastNlMeansDenoising(image, None, 1.3 * level, 3, 11)
    return np.asarray(smoothed)


def grow_mask(smoothed: Pixels, groups: SeedGroups, tolerance: int) -> Region:
    """Return what prompts mean, bool (height, width).

    Colours are alike up to `tolerance`: `SEED_TOLERANCE`, or less for telling more apart.
    """
    wanted, unwanted = (
        _grow(smoothed, seeds, tolerance) for seeds in (groups.positive, groups.negative)
    )
    guess = solid(smoothed, wanted)
    if groups.box is not None:
        wanted = wanted & _inside(groups.box, wanted.shape, RING_PIXELS)
        guess = (guess & wanted) | _fill_box(smoothed, groups.box, tolerance)
    # What lies on the guess is taken away with its own parts; what is around it holds it.
    is_part = (unwanted & guess).sum() > 0.5 * unwanted.sum()
    removed = solid(smoothed, unwanted) if is_part else unwanted
    # A positive click keeps its region, also where a negative one is on what it lies on.
    return np.asarray(wanted | (guess & ~removed))


def seeds_around(box: Sequence[float], width: float, height: float) -> Seeds:
    """Return places just outside a box (x1, y1, x2, y2), as far as they are in the image."""
    x1, y1, x2, y2 = box
    dx, dy = RING_PIXELS + RING_FRACTION * (x2 - x1), RING_PIXELS + RING_FRACTION * (y2 - y1)
    steps = [(step + 0.5) / SEEDS_PER_SIDE for step in range(SEEDS_PER_SIDE)]
    xs, ys = [x1 + step * (x2 - x1) for step in steps], [y1 + step * (y2 - y1) for step in steps]
    ring = [(x, y) for x in xs for y in (y1 - dy, y2 + dy)]
    ring += [(x, y) for y in ys for x in (x1 - dx, x2 + dx)]
    return [(x, y) for x, y in ring if 0 <= x < width and 0 <= y < height]


def solid(smoothed: Pixels, region: Region) -> Region:
    """Return a region with its holes filled, but for those through which one sees beyond it."""
    _, parts, boxes, _ = cv2.connectedComponentsWithStats((~region).astype(np.uint8), None, 4)
    height, width = region.shape
    x, y, w, h = (boxes[:, column] for column in range(4))
    is_hole = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    is_hole[0] = False
    if region[0, 0] or not is_hole.any():
        return region
    filled: Region = np.asarray(region | is_hole[parts])
    around = (cv2.dilate(filled.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0) & ~filled
    beyond = _common_colours(smoothed[around])
    for number in np.flatnonzero(is_hole & (boxes[:, cv2.CC_STAT_AREA] >= MIN_HOLE_PIXELS)):
        window = np.s_[y[number] : y[number] + h[number], x[number] : x[number] + w[number]]
        hole = parts[window] == number
        if beyond[_cells_of(smoothed[window][hole])].mean() > SEEN_THROUGH:
            filled[window] &= ~hole
    return filled


def _fill_box(smoothed: Pixels, box: Sequence[float], tolerance: int) -> Region:
    """Return what in a box is not what is around it, as a window around the box shows it."""
    height, width = smoothed.shape[:2]
    x1, y1, x2, y2 = (round(edge) for edge in box)
    dx, dy = (SHOWN_PIXELS + round(SHOWN_FRACTION * side) for side in (x2 - x1, y2 - y1))
    left, top = max(0, x1 - dx), max(0, y1 - dy)
    window = np.s_[top : min(height, y2 + dy), left : min(width, x2 + dx)]
    filled: Region = np.zeros((height, width), bool)
    shown = np.ascontiguousarray(smoothed[window])
    placed = [edge - start for edge, start in zip(box, (left, top) * 2, strict=True)]
    filled[window] = _fill_shown(shown, placed, tolerance)
    return filled


def _inside(box: Sequence[float], shape: tuple[int, ...], margin: float = 0) -> Region:
    """Return which pixels lie in a box, or at most `margin` beside it."""
    x1, y1 = (max(0, round(edge - margin)) for edge in box[:2])
    x2, y2 = (max(0, round(edge + margin)) for edge in box[2:])
    inside: Region = np.zeros(shape, bool)
    inside[y1:y2, x1:x2] = True
    return inside


def _fill_shown(shown: Pixels, box: Sequence[float], tolerance: int) -> Region:
    height, width = shown.shape[:2]
    inside = _inside(box, (height, width))
    seeds = _seeds_beyond(shown, seeds_around(box, width, height), inside)
    around = _grow(shown, seeds, tolerance)
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~around).astype(np.uint8), None, 4)
    within = np.bincount(parts[inside], minlength=count)
    belongs = within >= INSIDE * stats[:, cv2.CC_STAT_AREA]
    belongs[0] = False  # what is around
    filled: Region = np.asarray(belongs[parts], bool)
    if not filled.any():
        filled = inside & ~around
    if not filled.any():  # a box within a shape means the part of it that is in the box
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        return inside & _grow(shown, [middle], tolerance)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    beyond = _common_colours(shown[around & near])
    kept = filled.copy()
    kept[filled] = ~beyond[_cells_of(shown[filled])]
    return kept if kept.any() else filled


def _seeds_beyond(shown: Pixels, seeds: Seeds, inside: Region) -> Seeds:
    """Return the seeds but for those on what lies in the box by far, which was drawn too small."""
    beyond = np.zeros_like(inside)
    kept = []
    for x, y in seeds:
        if not beyond[int(y), int(x)]:
            region = _flood(shown, [(x, y)], (SEED_TOLERANCE,) * 3, fixed=True)
            if (region & inside).sum() >= INSIDE * region.sum():
                continue
            beyond |= region
        kept.append((x, y))
    return kept


def _common_colours(colours: Pixels) -> Region:
    """Return which cells of colours are common among some (n, 3), or next to one."""
    counts = np.bincount(_cells_of(colours), minlength=CELLS_PER_CHANNEL**3)
    common = (counts > max(1, MIN_COMMON * len(colours))).reshape((CELLS_PER_CHANNEL,) * 3)
    spread = np.pad(common, 1)
    for axis in range(3):
        spread = spread | np.roll(spread, 1, axis) | np.roll(spread, -1, axis)
    return spread[1:-1, 1:-1, 1:-1].ravel()


def _cells_of(colours: Pixels) -> NDArray[Any]:
    """Return the number of each colour's cell, (n,)."""
    red, green, blue = (colours.astype(np.int32) // CELL_LEVELS).T
    return np.asarray((red * CELLS_PER_CHANNEL + green) * CELLS_PER_CHANNEL + blue)


def _grow(smoothed: Pixels, seeds: Seeds, tolerance: int) -> Region:
    """Return all that is of the colour of a seed, or of its neighbours, and connected to it."""
    grown = _flood(smoothed, seeds, (tolerance,) * 3, fixed=True)
    grown |= _flood(smoothed, seeds, (NEIGHBOUR_TOLERANCE,) * 3, fixed=False)
    return place_edges(smoothed, grown) if grown.any() else grown


def place_edges(smoothed: Pixels, region: Region) -> Region:
    """Give each pixel at a region's edge to the side whose colour is nearer to its own.

    An edge is a blend of two colours, over a pixel or three, in which a region ends too early or
    too late.
    """
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    margin = EDGE_WINDOW + EDGE_REACH
    window = np.s_[
        max(0, rows[0] - margin) : rows[-1] + margin + 1,
        max(0, columns[0] - margin) : columns[-1] + margin + 1,
    ]
    placed = region.copy()
    placed[window] = _place_edges(np.ascontiguousarray(smoothed[window]), region[window])
    return placed


def _place_edges(pixels: Pixels, region: Region) -> Region:
    levels = region.astype(np.uint8)
    near = cv2.dilate(levels, np.ones((2 * EDGE_REACH + 1,) * 2, np.uint8))
    core = cv2.erode(levels, np.ones((3, 3), np.uint8))
    edge = np.nonzero(near != core)
    own = pixels[edge].astype(np.float32)
    inside, has_core = _local_colours(pixels, core, edge)
    whole, _ = _local_colours(pixels, levels, edge)
    inside = np.where(has_core[:, None], inside, whole)  # a thin region has no core there
    beyond, has_beyond = _local_colours(pixels, 1 - near, edge)
    is_nearer = ((own - inside) ** 2).sum(1) < ((own - beyond) ** 2).sum(1)
    placed = region.copy()
    placed[edge] = is_nearer | ~has_beyond
    return placed


def _local_colours(
    pixels: Pixels, region: Pixels, places: tuple[NDArray[Any], ...]
) -> tuple[NDArray[np.float32], Region]:
    """Return the mean colour of a region's pixels around each place, and whether there are any."""
    size = (EDGE_WINDOW, EDGE_WINDOW)
    taken = pixels * region[..., None]
    count, total = (
        cv2.boxFilter(one, cv2.CV_32F, size, normalize=False)[places] for one in (region, taken)
    )
    return total / np.maximum(count, 1)[:, None], np.asarray(count > 0)


def _flood(smoothed: Pixels, seeds: Seeds, tolerances: tuple[int, ...], fixed: bool) -> Region:
    height, width = smoothed.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    flags = _FLAGS | (cv2.FLOODFILL_FIXED_RANGE if fixed else 0)
    for x, y in seeds:
        seed = int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))
        # What is filled already ends a region: each pixel is visited once for all seeds.
        if not mask[seed[1] + 1, seed[0] + 1]:
            cv2.floodFill(smoothed, mask, seed, 0, tolerances, tolerances, flags)
    return np.asarray(mask[1:-1, 1:-1] > 0)
