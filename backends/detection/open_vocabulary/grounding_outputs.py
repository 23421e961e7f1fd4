"""What Grounding DINO gives for images and a text, and whether two engines give the same."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.media.image import Image
from shared.results import ImageSize

Floats = NDArray[Any]
# How far an object's edges, in pixels of the image, and its scores may lie from PyTorch's.
MAX_PIXELS = 1.0
MAX_SCORE_DIFFERENCE = 0.01
# Objects of less are not compared, but for the best: the edges of what is hardly there are
# arbitrary.
MIN_SCORE = 0.3
FEWEST_COMPARED = 10
# The share of objects that may be missing: the last digits decide which places of an image are the
# last ones that are looked at.
MAX_MISSING = 0.01


class Outputs(NamedTuple):
    """`scores` (images, queries, tokens), and `boxes` (images, queries, 4).

    A box is its centre and size as fractions of the image.
    """

    scores: Floats
    boxes: Floats


class Runner(Protocol):
    """A network on an engine; `name` tells on which."""

    name: str

    def run(self, images: Sequence[Image], texts: Sequence[tuple[int, ...]]) -> list[Outputs]:
        """Return the outputs for each text, of images of one size."""


def describe_deviation(found: Outputs, expected: Outputs, size: ImageSize) -> str:
    """Return how the outputs for an image differ from PyTorch's; "" if their objects are the same.

    Which query finds an object does not matter: of two that are nearly equal the last digits
    decide which comes first.
    """
    pairs = ((found, expected), (expected, found))
    matched = [_find_partners(one, other, size) for one, other in pairs]
    missing = np.concatenate([~one for one in matched])
    if missing.mean() <= MAX_MISSING:
        return ""
    return (
        f"{missing.sum()} of {len(missing)} objects differ from PyTorch's by more than"
        f" {MAX_PIXELS:g} pixel or {MAX_SCORE_DIFFERENCE:g} of a score"
    )


def _find_partners(outputs: Outputs, others: Outputs, size: ImageSize) -> NDArray[np.bool_]:
    """Return of each object of an image whether there is one like it among the others."""
    corners, other_corners = (_to_corners(one.boxes[0], size) for one in (outputs, others))
    best = outputs.scores[0].max(axis=1)
    rows = np.argsort(-best)[: max(FEWEST_COMPARED, int((best >= MIN_SCORE).sum()))]
    found = []
    for row in rows:
        near = np.abs(other_corners - corners[row]).max(axis=1) <= MAX_PIXELS
        scores = np.abs(others.scores[0][near] - outputs.scores[0][row]).max(axis=1)
        found.append(bool((scores <= MAX_SCORE_DIFFERENCE).any()))
    return np.array(found)


def _to_corners(boxes: Floats, size: ImageSize) -> Floats:
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return np.asarray(corners * ([size.width, size.height] * 2))
