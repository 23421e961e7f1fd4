"""A page as lines, words or blocks, and as one text."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from backends.ocr.layout.page import Line, Page, Word
from backends.ocr.layout.reading_order import (
    Box,
    order_rows,
    rotation_matrix,
    text_direction,
    upright_boxes,
)

GRANULARITIES = ("line", "word", "block")
Unit = Line | Word

# Gaps within a block, in line heights: between its rows …
MAX_ROW_GAP = 0.9
# … and between the parts of one row.
MAX_WORD_GAP = 1.5
# Lines of one block are at most this many times higher than each other.
MAX_HEIGHT_RATIO = 1.7
# A line is under another if they share more than this part of the narrower one's width …
MIN_SHARED_WIDTH = 0.3
# … and beside it if they share more than this part of the lower one's height.
MIN_SHARED_HEIGHT = 0.5


def split_units(page: Page, granularity: str) -> Sequence[Unit]:
    """Return what becomes a region each."""
    if granularity == "block":
        return _group_blocks(page.lines)
    lines = [replace(line, corners=line.tight_corners) for line in page.lines]
    if granularity == "word":
        return [word for line in lines for word in line.words or (line,)]
    return lines


def join_text(lines: Sequence[Line]) -> str:
    """Return all text in reading order, a row on each line."""
    rows = order_rows(upright_boxes(lines))
    return "\n".join(" ".join(lines[box.index].text for box in row) for row in rows)


def _group_blocks(lines: Sequence[Line]) -> list[Line]:
    """Merge lines that are close under or beside each other."""
    blocks: list[list[Box]] = []
    for row in order_rows(upright_boxes(lines)):
        for box in row:
            near = next((b for b in reversed(blocks) if any(_is_near(box, o) for o in b)), None)
            if near is None:
                blocks.append([box])
            else:
                near.append(box)
    angle = text_direction(lines)
    return [_merge_block([lines[box.index] for box in block], angle) for block in blocks]


def _is_near(one: Box, other: Box) -> bool:
    height = min(one.height, other.height)
    if max(one.height, other.height) > MAX_HEIGHT_RATIO * height:
        return False
    # Negative where there is a gap.
    shared_width = min(one.right, other.right) - max(one.left, other.left)
    shared_height = min(one.bottom, other.bottom) - max(one.top, other.top)
    is_below = shared_width > MIN_SHARED_WIDTH * min(one.width, other.width)
    is_beside = shared_height > MIN_SHARED_HEIGHT * height
    return (is_below and shared_height > -MAX_ROW_GAP * height) or (
        is_beside and shared_width > -MAX_WORD_GAP * height
    )


def _merge_block(lines: Sequence[Line], angle: float) -> Line:
    """Return the lines as one, in the smallest rectangle around them in the text's direction."""
    if len(lines) == 1:
        return replace(lines[0], corners=lines[0].tight_corners)
    points = np.concatenate([np.asarray(line.tight_corners) for line in lines])
    turned = points @ rotation_matrix(-angle).T
    (left, top), (right, bottom) = turned.min(axis=0), turned.max(axis=0)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    corners = (upright @ rotation_matrix(angle).T).tolist()
    return Line(corners, join_text(lines), median(line.score for line in lines))
