"""Whether a converted network finds what PyTorch does: asked when it is loaded."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from backends.detection.found import Floats, Found
from shared.errors import ModelError
from shared.image import Image, decode

OVERLAP = 0.98
"""Least overlap (intersection over union) of a box with PyTorch's."""
SCORE = 0.02
"""How far scores, and probabilities of classes, may lie apart."""
SMALL_PART = 1 / 3
"""Of these tolerances, for less precision: few pictures show less than many will."""
SURE = 0.25
"""Objects under this score are not compared: what is hardly there has no edges."""

Detect = Callable[[Sequence[Image]], Sequence[Found]]


def check(fast: Detect, reference: Detect, part: float = 1.0) -> None:
    """ModelError says how far the two differ on the pictures, if by more than a part of what may
    be. If it is a part, there must be something to compare.

    Both must give all boxes, those of the same object too: which of two equally sure ones is
    left out in the end is a matter of their last digits.
    """
    least, farthest = 1 - (1 - OVERLAP) * part, SCORE * part
    compared = False
    for found, expected in zip(fast(pictures()), reference(pictures()), strict=True):
        apart = farthest_score(found, expected)
        if apart > farthest:
            raise ModelError(f"its scores differ by up to {apart:.2g} from PyTorch's")
        overlap = least_overlap(found, expected, score=farthest)
        if overlap < least:
            raise ModelError(f"its boxes overlap by only {overlap:.2f} with PyTorch's")
        sure = expected.scores >= SURE
        compared = compared or expected.probabilities is not None or bool(sure.any())
    if part < 1 and not compared:
        raise ModelError("it finds nothing on the pictures that are compared")


@cache
def pictures() -> tuple[Image, ...]:
    """The drawn examples, and the photos that Ultralytics' package brings."""
    spec = find_spec("ultralytics")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    files = [*Path(__file__).parent.glob("examples/*.png"), *package.glob("assets/*.jpg")]
    return tuple(decode(path.read_bytes(), 100) for path in sorted(files))


def farthest_score(found: Found, expected: Found) -> float:
    """The largest difference of a class's probability, or of its surest object's score."""
    if expected.probabilities is not None and found.probabilities is not None:
        return float(np.abs(found.probabilities - expected.probabilities).max())
    apart = [
        abs(found.scores[found.classes == index].max(initial=0.0) - score)
        for index, score in _surest(expected)
    ]
    return float(max(apart, default=0.0))


def _surest(found: Found) -> Iterator[tuple[int, float]]:
    for index in np.unique(found.classes[found.scores >= SURE]).tolist():
        yield index, float(found.scores[found.classes == index].max())


def least_overlap(found: Found, expected: Found, sure: float = SURE, score: float = SCORE) -> float:
    """Of all expected boxes that are sure enough, the least overlap with the nearest found one
    of its class whose score differs by no more than `score`.
    """
    least = 1.0
    for index in np.flatnonzero(expected.scores >= sure).tolist():
        same = (found.classes == expected.classes[index]) & (
            np.abs(found.scores - expected.scores[index]) <= score
        )
        least = min(least, overlaps(found.boxes[same], expected.boxes[index]).max(initial=0.0))
    return float(least)


def overlaps(boxes: Floats, box: Floats) -> Floats:
    """Intersection over union of boxes (n, 4) with one."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    found: Floats = shared / np.maximum(areas - shared, 1e-9)
    return found
