"""Where the words of a recognized line lie: the columns of the recognizer, fitted to the ink."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.ocr.engines.ppocr import Said
from backends.ocr.layout.ink_bounds import mask
from backends.ocr.layout.page import Word
from backends.ocr.layout.quad import Pixels, Quad, within

Columns = NDArray[Any]


def words(quad: Quad, cut: Pixels, said: Said) -> list[Word]:
    """The words of a line that was cut out of a quadrilateral."""
    parts = said.text.split()
    groups = _groups([place * cut.shape[1] for place in said.places], parts)
    scores = _groups(said.scores, parts)
    edges = _edges(groups, _ink(cut))
    return [
        Word(_part(quad, left, right, cut.shape[1]), part, fmean(score))
        for (left, right), part, score in zip(edges, parts, scores, strict=True)
    ]


def _groups(values: Sequence[float], parts: Sequence[str]) -> list[Sequence[float]]:
    ends = np.cumsum([len(part) for part in parts])
    return [values[end - len(part) : end] for end, part in zip(ends, parts, strict=True)]


def _ink(cut: Pixels) -> Columns:
    """How much ink each column of a line's pixels has, shape (width,)."""
    rows = slice(cut.shape[0] // 8, max(1, cut.shape[0] - cut.shape[0] // 8))
    return np.asarray(mask(cut)[rows].sum(axis=0))


def _edges(groups: Sequence[Sequence[float]], ink: Columns) -> list[tuple[float, float]]:
    """Left and right of each word: the widest gap between its neighbours' characters."""
    gaps = [_gap(ink, before[-1], after[0]) for before, after in pairwise(groups)]
    inked = np.flatnonzero(ink)
    first, last = (inked[0], inked[-1] + 1) if inked.size else (0, len(ink))
    starts = [min(float(first), groups[0][0]), *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), max(float(last), groups[-1][-1])]
    return list(zip(starts, ends, strict=True))


def _gap(ink: Columns, left: float, right: float) -> tuple[float, float]:
    """The longest run with the least ink between two places; their middle if there is none."""
    low, high = max(0, int(left)), min(len(ink), int(right) + 1)
    between = ink[low:high]
    if between.size < 2:
        return (left + right) / 2, (left + right) / 2
    empty = np.concatenate([[False], between <= between.min() + 1, [False]])
    starts, ends = np.flatnonzero(np.diff(empty.astype(np.int8))).reshape(-1, 2).T
    longest = int(np.argmax(ends - starts))
    return low + float(starts[longest]), low + float(ends[longest])


def _part(quad: Quad, left: float, right: float, width: int) -> list[list[float]]:
    corners: list[list[float]] = within(quad, (left / width, 0, right / width, 1)).tolist()
    return corners
