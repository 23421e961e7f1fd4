"""Where the words of a recognized line are: the recognizer's columns, fitted to the ink."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.ocr.layout.ink_bounds import ink_mask
from backends.ocr.layout.page import Recognition, Word
from backends.ocr.layout.quad import Pixels, Quad, sub_quad

InkPerColumn = NDArray[Any]
# The part of a line's height, at its top and its bottom, whose ink is not looked at: lines above
# and below reach into it.
EDGE_DIVISOR = 8


def locate_words(quad: Quad, pixels: Pixels, recognition: Recognition) -> list[Word]:
    """Return the words of a line whose pixels were cropped from a quadrilateral."""
    texts, width = recognition.text.split(), pixels.shape[1]
    centers = _split_by_word([position * width for position in recognition.positions], texts)
    scores = _split_by_word(recognition.character_scores, texts)
    edges = _word_edges(centers, _ink_per_column(pixels))
    return [
        Word(sub_quad(quad, (left / width, 0, right / width, 1)).tolist(), text, fmean(score))
        for (left, right), text, score in zip(edges, texts, scores, strict=True)
    ]


def _split_by_word(values: Sequence[float], texts: Sequence[str]) -> list[Sequence[float]]:
    """Split one value for each character into those of each word."""
    ends = np.cumsum([len(text) for text in texts])
    return [values[end - len(text) : end] for end, text in zip(ends, texts, strict=True)]


def _ink_per_column(pixels: Pixels) -> InkPerColumn:
    """Return how much ink each column of a line's pixels has, shape (width,)."""
    height = pixels.shape[0]
    rows = slice(height // EDGE_DIVISOR, max(1, height - height // EDGE_DIVISOR))
    return np.asarray(ink_mask(pixels)[rows].sum(axis=0))


def _word_edges(centers: Sequence[Sequence[float]], ink: InkPerColumn) -> list[tuple[float, float]]:
    """Return left and right of each word, given the centers of its characters.

    The recognizer tells where characters are only roughly. A word therefore ends where the widest
    gap in the ink begins, between its last character and the next word's first.
    """
    gaps = [_widest_gap(ink, before[-1], after[0]) for before, after in pairwise(centers)]
    inked = np.flatnonzero(ink)
    first, last = (inked[0], inked[-1] + 1) if inked.size else (0, len(ink))
    starts = [min(float(first), centers[0][0]), *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), max(float(last), centers[-1][-1])]
    return list(zip(starts, ends, strict=True))


def _widest_gap(ink: InkPerColumn, left: float, right: float) -> tuple[float, float]:
    """Return the longest run with the least ink between two columns; their middle if none."""
    low, high = max(0, int(left)), min(len(ink), int(right) + 1)
    between = ink[low:high]
    if between.size < 2:
        return (left + right) / 2, (left + right) / 2
    is_gap = np.concatenate([[False], between <= between.min() + 1, [False]])
    starts, ends = np.flatnonzero(np.diff(is_gap.astype(np.int8))).reshape(-1, 2).T
    longest = int(np.argmax(ends - starts))
    return low + float(starts[longest]), low + float(ends[longest])
