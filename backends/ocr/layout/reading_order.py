"""Reading order: rows from left to right, columns one after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.ocr.layout.page import Corners, Line

# Each of two columns has at least this many lines …
MIN_COLUMN_LINES = 3
# … which take at least this part of the width; prices beside items take less.
MIN_COLUMN_SHARE = 0.25
# At most this part of the lines may run across both columns, such as headings.
MAX_SPANNING_SHARE = 0.34
# A line belongs to a row if it is at most this part of its height below the row's center.
MAX_ROW_OFFSET = 0.5


@dataclass(frozen=True)
class Box:
    """The upright box of line `index`, once the page is turned so that text runs to the right."""

    left: float
    top: float
    right: float
    bottom: float
    index: int

    @property
    def width(self) -> float:
        """The extent from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """The extent from top to bottom."""
        return self.bottom - self.top

    @property
    def center_y(self) -> float:
        """Half way between top and bottom."""
        return (self.top + self.bottom) / 2


def text_direction(lines: Sequence[Line]) -> float:
    """Return the angle in radians, clockwise, in which most text runs; long lines count more."""
    weighted_angles = [(_line_angle(line.corners), len(line.text)) for line in lines]
    if not weighted_angles:
        return 0.0
    quarter = _main_quarter(weighted_angles)
    offsets = sorted((_wrap_angle(angle - quarter), weight) for angle, weight in weighted_angles)
    # The weighted median, which a few lines in another direction do not move.
    half, cumulated = sum(weight for _, weight in offsets) / 2, 0
    for offset, weight in offsets:
        cumulated += weight
        if cumulated >= half:
            return quarter + offset
    return quarter


def upright_boxes(lines: Sequence[Line]) -> list[Box]:
    """Return the lines' boxes on the page turned so that its text runs to the right."""
    rotation = rotation_matrix(-text_direction(lines))
    boxes = []
    for index, line in enumerate(lines):
        points = np.asarray(line.corners, dtype=float) @ rotation.T
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        boxes.append(Box(float(left), float(top), float(right), float(bottom), index))
    return boxes


def rotation_matrix(angle: float) -> NDArray[Any]:
    """Return the matrix that turns points clockwise on an image, shape (2, 2)."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def order_rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Return boxes in reading order, row by row; a box beside another is in the same row.

    A page with two columns is cut into bands at the lines that span both, such as headings. In
    each band the left column comes before the right one; each may have columns itself.
    """
    gutter = _find_gutter(boxes)
    if gutter is None:
        return _group_rows(boxes)
    ordered: list[list[Box]] = []
    band: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.center_y):
        if box.left < gutter < box.right:
            ordered += [*_order_columns(band, gutter), [box]]
            band = []
        else:
            band.append(box)
    return ordered + _order_columns(band, gutter)


def sort_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the lines in reading order."""
    return [lines[box.index] for row in order_rows(upright_boxes(lines)) for box in row]


def _order_columns(band: Sequence[Box], gutter: float) -> list[list[Box]]:
    left = [box for box in band if box.right <= gutter]
    return order_rows(left) + order_rows([box for box in band if box.right > gutter])


def _group_rows(boxes: Sequence[Box]) -> list[list[Box]]:
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.center_y):
        if rows and _is_in_row(box, rows[-1]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: box.left) for row in rows]


def _is_in_row(box: Box, row: Sequence[Box]) -> bool:
    height = min(box.height, median(other.height for other in row))
    return box.center_y - median(other.center_y for other in row) < MAX_ROW_OFFSET * height


def _find_gutter(boxes: Sequence[Box]) -> float | None:
    """Return the x between two columns, if there are two.

    The best cut has the fewest lines across it, and then the widest gap. Only the edges of boxes
    need to be tried: between two of them nothing changes.
    """
    cuts = (_rate_gutter(boxes, edge) for box in boxes for edge in (box.right, box.left))
    best = min((cut for cut in cuts if cut is not None), default=None)
    return best[2] if best else None


def _rate_gutter(boxes: Sequence[Box], x: float) -> tuple[float, float, float] | None:
    """Return (lines across x, minus the gap's width, the gap's middle); None if not two columns."""
    left = [box for box in boxes if box.right <= x]
    right = [box for box in boxes if box.left >= x]
    spanning = len(boxes) - len(left) - len(right)
    if min(len(left), len(right)) < MIN_COLUMN_LINES:
        return None
    if spanning > MAX_SPANNING_SHARE * len(boxes):
        return None
    width = max(box.right for box in left + right) - min(box.left for box in left + right)
    if any(median(box.width for box in side) < MIN_COLUMN_SHARE * width for side in (left, right)):
        return None
    gap_start, gap_end = max(box.right for box in left), min(box.left for box in right)
    return spanning, gap_start - gap_end, (gap_start + gap_end) / 2


def _line_angle(corners: Corners) -> float:
    (x0, y0), (x1, y1) = corners[0], corners[1]
    return math.atan2(y1 - y0, x1 - x0)


def _wrap_angle(angle: float) -> float:
    """Return the same angle between minus half a turn and half a turn."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _main_quarter(weighted_angles: Sequence[tuple[float, int]]) -> float:
    """Return the quarter turn, in radians, that most of the text is nearest to."""
    weights = [0.0] * 4
    for angle, weight in weighted_angles:
        weights[round(angle / (math.pi / 2)) % 4] += weight
    return weights.index(max(weights)) * math.pi / 2
