"""All objects of an image: clicks on a grid, of whose masks the best are kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from backends.segment.models.promptable_model import MaskPrediction
from backends.segment.prompts import BinaryMask, ObjectPrompt, Point
from shared.results import ImageSize

# Returns the best mask for each prompt.
Decode: TypeAlias = Callable[[Sequence[ObjectPrompt]], Sequence[MaskPrediction]]

# Prompts that the decoder gets at once: few, so that clicks beside it are not held up.
CHUNK = 4
# A mask is kept if the model expects this IoU of it, …
MIN_SCORE = 0.8
# … if it covers these parts of the image: more is its background, less is noise, …
MIN_AREA, MAX_AREA = 0.0005, 0.6
# … and if no better one is this alike (IoU).
MAX_OVERLAP = 0.7


def find_all_objects(decode: Decode, size: ImageSize, clicks: int) -> list[MaskPrediction]:
    """Return a mask for each object of an image, the surest first.

    `clicks` are those along the longer side. Objects may lie on each other. What reaches three
    edges of the image is its background.
    """
    found = (mask for mask in _predict_grid(decode, size, clicks) if _is_object(mask))
    kept: list[MaskPrediction] = []
    for one in sorted(found, key=lambda mask: -mask.score):
        if all(_overlap(one.mask, other.mask) < MAX_OVERLAP for other in kept):
            kept.append(one)
    return kept


def grid_prompts(size: ImageSize, clicks: int) -> Sequence[ObjectPrompt]:
    """Return a click for each place of the grid, in rows from the top left.

    There are `clicks` along the longer side, and along the other one as many as fit.
    """
    distance = max(size) / clicks
    columns, rows = (max(1, round(side / distance)) for side in size)
    xs = (np.arange(columns) + 0.5) * size.width / columns
    ys = (np.arange(rows) + 0.5) * size.height / rows
    return [ObjectPrompt((Point(float(x), float(y)),)) for y in ys for x in xs]


def _predict_grid(decode: Decode, size: ImageSize, clicks: int) -> Iterator[MaskPrediction]:
    prompts = grid_prompts(size, clicks)
    for start in range(0, len(prompts), CHUNK):
        yield from decode(prompts[start : start + CHUNK])


def _is_object(found: MaskPrediction) -> bool:
    mask = found.mask
    edges = sum(bool(edge.any()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return found.score >= MIN_SCORE and MIN_AREA <= mask.mean() <= MAX_AREA and edges < 3


def _overlap(one: BinaryMask, other: BinaryMask) -> float:
    """Return the intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))
