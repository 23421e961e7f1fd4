"""Reading order: rows from left to right, columns one after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.ocr.layout.page import Corners, Line

# Lines that each of two columns has at least.
COLUMN_LINES = 3
# The part of the width that a column's lines take at least; prices beside items take less.
COLUMN_SHARE = 0.25
# The part of the lines that may run across two columns, such as headings.
SPANNING_SHARE = 0.34


@dataclass(frozen=True)
class Box:
    """An upright box around a line in the frame of the page's own direction."""

    left: float
    top: float
    right: float
    bottom: float
    index: int

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Half way down."""
        return (self.top + self.bottom) / 2


def direction(lines: Sequence[Line]) -> float:
    """The angle in radians that most of the text runs in, clockwise; long lines count more."""
    turned = [(_angle(line.corners), len(line.text)) for line in lines]
    if not turned:
        return 0.0
    quarter = _quarter(turned)
    offsets = sorted((_around(angle - quarter), weight) for angle, weight in turned)
    half, seen = sum(weight for _, weight in offsets) / 2, 0
    for offset, weight in offsets:
        seen += weight
        if seen >= half:
            return quarter + offset
    return quarter


def boxes(lines: Sequence[Line]) -> list[Box]:
    """The lines' boxes once the page is turned so that its text runs to the right."""
    turn = rotation(-direction(lines))
    found = []
    for index, line in enumerate(lines):
        points = np.asarray(line.corners, dtype=float) @ turn.T
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        found.append(Box(float(left), float(top), float(right), float(bottom), index))
    return found


def rotation(angle: float) -> NDArray[Any]:
    """The matrix that turns points clockwise on an image, shape (2, 2)."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def rows(found: Sequence[Box]) -> list[list[Box]]:
    """Boxes in reading order, those beside each other in one row; columns come one by one."""
    gutter = _gutter(found)
    if gutter is None:
        return _rows(found)
    ordered: list[list[Box]] = []
    band: list[Box] = []
    for box in sorted(found, key=lambda box: box.middle):
        if box.left < gutter < box.right:
            ordered += [*_sides(band, gutter), [box]]
            band = []
        else:
            band.append(box)
    return ordered + _sides(band, gutter)


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The lines in reading order."""
    return [lines[box.index] for row in rows(boxes(lines)) for box in row]


def _sides(band: Sequence[Box], gutter: float) -> list[list[Box]]:
    left = [box for box in band if box.right <= gutter]
    return rows(left) + rows([box for box in band if box.right > gutter])


def _rows(found: Sequence[Box]) -> list[list[Box]]:
    grouped: list[list[Box]] = []
    for box in sorted(found, key=lambda box: box.middle):
        row = grouped[-1] if grouped else []
        if row and box.middle - median(b.middle for b in row) < min(
            0.5 * box.height, 0.5 * median(b.height for b in row)
        ):
            row.append(box)
        else:
            grouped.append([box])
    return [sorted(row, key=lambda box: box.left) for row in grouped]


def _gutter(found: Sequence[Box]) -> float | None:
    """Where the gap between two columns lies, if there are two."""
    best: tuple[float, float, float] | None = None
    for box in found:
        for edge in (box.right, box.left):
            scored = _columns_at(found, edge)
            if scored and (best is None or scored < best):
                best = scored
    return best[2] if best else None


def _columns_at(found: Sequence[Box], x: float) -> tuple[float, float, float] | None:
    """(lines across, minus the gap's width, its middle) if x parts two columns."""
    left = [box for box in found if box.right <= x]
    right = [box for box in found if box.left >= x]
    across = len(found) - len(left) - len(right)
    if min(len(left), len(right)) < COLUMN_LINES or across > SPANNING_SHARE * len(found):
        return None
    width = max(b.right for b in left + right) - min(b.left for b in left + right)
    if any(median(b.right - b.left for b in side) < COLUMN_SHARE * width for side in (left, right)):
        return None
    end, start = max(box.right for box in left), min(box.left for box in right)
    return across, end - start, (end + start) / 2


def _angle(corners: Corners) -> float:
    (x0, y0), (x1, y1) = corners[0], corners[1]
    return math.atan2(y1 - y0, x1 - x0)


def _around(angle: float) -> float:
    """The same angle, from minus half a turn to half a turn."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _quarter(turned: Sequence[tuple[float, int]]) -> float:
    """The quarter turn that most of the text is nearest to."""
    weights = [0.0] * 4
    for angle, weight in turned:
        weights[round(angle / (math.pi / 2)) % 4] += weight
    return weights.index(max(weights)) * math.pi / 2
