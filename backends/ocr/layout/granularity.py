"""A page as lines, words or blocks, and as one text."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from backends.ocr.layout.page import Line, Page, Word
from backends.ocr.layout.reading_order import Box, boxes, direction, rotation, rows

GRANULARITIES = ("line", "word", "block")
Unit = Line | Word

# Between lines of one block, in line heights.
ROW_GAP = 0.9
# Between parts of one row of a block, in line heights.
WORD_GAP = 1.5


def units(page: Page, granularity: str) -> Sequence[Unit]:
    """What becomes a region each."""
    if granularity == "block":
        return _blocks(page.lines)
    lines = [replace(line, corners=line.close) for line in page.lines]
    if granularity == "word":
        return [word for line in lines for word in line.words or (line,)]
    return lines


def text_of(lines: Sequence[Line]) -> str:
    """All text in reading order: a line a row."""
    ordered = rows(boxes(lines))
    return "\n".join(" ".join(lines[box.index].text for box in row) for row in ordered)


def _blocks(lines: Sequence[Line]) -> list[Line]:
    """Lines that stand close under or beside each other, as one region."""
    blocks: list[list[Box]] = []
    for row in rows(boxes(lines)):
        for box in row:
            near = next((b for b in reversed(blocks) if any(_near(box, o) for o in b)), None)
            if near is None:
                blocks.append([box])
            else:
                near.append(box)
    angle = direction(lines)
    return [_block([lines[box.index] for box in block], angle) for block in blocks]


def _near(one: Box, other: Box) -> bool:
    height = min(one.height, other.height)
    if max(one.height, other.height) > 1.7 * height:
        return False
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    narrower = min(one.right - one.left, other.right - other.left)
    under = across > 0.3 * narrower and down > -ROW_GAP * height
    return under or (down > 0.5 * height and across > -WORD_GAP * height)


def _block(lines: Sequence[Line], angle: float) -> Line:
    if len(lines) == 1:
        return replace(lines[0], corners=lines[0].close)
    points = np.concatenate([np.asarray(line.close) for line in lines]) @ rotation(-angle).T
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    corners = (upright @ rotation(angle).T).tolist()
    return Line(corners, text_of(lines), median(line.score for line in lines))
