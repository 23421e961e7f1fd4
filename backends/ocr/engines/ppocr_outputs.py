"""What the outputs of PP-OCR's networks mean: where lines are, and which characters were read.

RapidOCR finds the same, but importing that reads the list of all networks that it can download,
which takes a second.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from backends.ocr.engines.onnx_network import Array
from backends.ocr.layout.quad import Quad

# The section "Det" of RapidOCR's config.yaml.
PIXEL_THRESHOLD = 0.3
LINE_THRESHOLD = 0.5
MAX_LINES = 1000
GROWTH = 1.6
# Sides in pixels of the smallest line: on the heatmap, there once it has grown, and on the page.
MIN_HEATMAP_SIDE = 3
MIN_GROWN_SIDE = 5
MIN_PAGE_SIDE = 4


class Guesses(NamedTuple):
    """What a recognizer takes the columns of a line for, an array of shape (columns,) each.

    The number of its best guess and the chance of that, and the chance that it is a space.
    """

    numbers: Array
    chances: Array
    space_chances: Array


class Characters(NamedTuple):
    """What was read on a line: its characters, with the output column and the chance of each."""

    text: str
    columns: Sequence[int]
    chances: Sequence[float]


def find_quads(heatmap: Array, size: tuple[int, int]) -> Iterator[Quad]:
    """Yield a quadrilateral for each line on a page of that height and width, in its pixels.

    `heatmap` has for each pixel the chance that it belongs to a line, which was learned for lines
    that are shrunk: "differentiable binarization", arXiv 1911.08947.
    """
    mask = cv2.dilate((heatmap > PIXEL_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask * 255, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:MAX_LINES]:
        shrunk, side = _smallest_box(contour)
        if side < MIN_HEATMAP_SIDE or _mean_chance(heatmap, shrunk) < LINE_THRESHOLD:
            continue
        grown, side = _smallest_box(_grow(shrunk))
        if side >= MIN_GROWN_SIDE:
            quad = _scale(grown, heatmap.shape, size)
            if all(int(np.linalg.norm(quad[0] - quad[n])) >= MIN_PAGE_SIDE for n in (1, 3)):
                yield quad


def read_guesses(output: Array) -> Guesses:
    """Return the guesses of an output of shape (columns, characters), of which space is the last.

    Three numbers for each column are all that is kept of its thousands.
    """
    numbers = output.argmax(axis=1)
    return Guesses(numbers, output[np.arange(len(output)), numbers], output[:, -1].copy())


def read_characters(guesses: Guesses, characters: Sequence[str]) -> Characters:
    """Return what the recognizer read.

    Equal guesses side by side are one character, and the first of `characters` stands for none:
    "connectionist temporal classification".
    """
    numbers = guesses.numbers
    read = numbers != 0
    read[1:] &= numbers[1:] != numbers[:-1]
    text = "".join(characters[number] for number in numbers[read])
    rounded = [round(chance, 5) for chance in guesses.chances[read].tolist()]
    return Characters(text, np.flatnonzero(read).tolist(), rounded)


def _smallest_box(points: Array) -> tuple[Quad, float]:
    """Return the corners of the smallest box around points, and its shorter side."""
    box = cv2.minAreaRect(points)
    return _order_corners(cv2.boxPoints(box)), min(box[1])


def _order_corners(points: Array) -> Quad:
    """Return the corners from the upper left one on, clockwise."""
    by_x = points[np.argsort(points[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.stack([left[0], right[0], right[1], left[1]])


def _mean_chance(heatmap: Array, quad: Quad) -> float:
    """Return the mean of the heatmap in a quadrilateral."""
    height, width = heatmap.shape
    most = (width - 1, height - 1)
    low = np.clip(np.floor(quad.min(axis=0)).astype(np.int32), 0, most)
    high = np.clip(np.ceil(quad.max(axis=0)).astype(np.int32), 0, most)
    part = heatmap[low[1] : high[1] + 1, low[0] : high[0] + 1]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(quad - low.astype(np.float32)).astype(np.int32)], (1,))
    return float(cv2.mean(part, mask)[0])


def _grow(quad: Quad) -> Array:
    """Return the outline of a line, of the quadrilateral that it was shrunk to."""
    import pyclipper

    perimeter = np.linalg.norm(quad - np.roll(quad, 1, axis=0).astype(np.float64), axis=1).sum()
    distance = cv2.contourArea(quad) * GROWTH / perimeter
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(quad, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return np.concatenate([np.array(path, np.int32) for path in offset.Execute(distance)])


def _scale(quad: Quad, heatmap_size: Sequence[int], size: tuple[int, int]) -> Quad:
    """Return a quadrilateral of a heatmap in whole pixels of the page, all of them on it."""
    of_heatmap, of_page = np.array(heatmap_size[::-1]), np.array(size[::-1])
    scaled = np.round((quad / of_heatmap.astype(np.float32)) * of_page.astype(np.float32))
    corners = _order_corners(np.clip(scaled, 0, of_page).astype(np.int32))
    return np.clip(corners, 0, of_page - 1).astype(np.float32)
