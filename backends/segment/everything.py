"""All objects of an image: clicks on a grid, of whose masks the best are kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask of a whole image in little memory: a bit for each pixel around what it covers.

    `bits` uint8 (rows, bytes) begin at the row `top` and the byte `left` of a row, which is eight
    pixels. `area` is the number of pixels covered, `score` the expected IoU, 0 to 1.
    """

    bits: NDArray[np.uint8]
    top: int
    left: int
    area: int
    score: float

    @classmethod
    def pack(cls, found: MaskPrediction) -> "PackedMask":
        """Pack a mask that covers something."""
        rows, columns = (np.flatnonzero(found.mask.any(axis=axis)) for axis in (1, 0))
        top, left = int(rows[0]), int(columns[0]) // 8
        covered = found.mask[top : rows[-1] + 1, left * 8 : columns[-1] + 1]
        bits = np.packbits(covered, axis=1)
        return cls(bits, top, left, int(np.count_nonzero(covered)), found.score)

    def unpack(self, size: ImageSize) -> BinaryMask:
        """Return the mask of the whole image: bool (height, width)."""
        mask = np.zeros((size.height, size.width), bool)
        rows, right = len(self.bits), min(size.width, (self.left + self.bits.shape[1]) * 8)
        count = right - self.left * 8
        pixels = np.unpackbits(self.bits, axis=1, count=count)
        mask[self.top : self.top + rows, self.left * 8 : right] = pixels
        return mask

    def overlap(self, other: "PackedMask") -> float:
        """Return the intersection over union."""
        common = int(np.unpackbits(self._cut_to(other) & other._cut_to(self)).sum())
        return common / max(self.area + other.area - common, 1)

    def _cut_to(self, other: "PackedMask") -> NDArray[np.uint8]:
        """Return the bits where both have some; empty if nowhere."""
        (height, width), (other_height, other_width) = self.bits.shape, other.bits.shape
        top, left = max(0, other.top - self.top), max(0, other.left - self.left)
        bottom = min(height, other.top + other_height - self.top)
        right = min(width, other.left + other_width - self.left)
        return self.bits[top : max(top, bottom), left : max(left, right)]


def find_all_objects(decode: Decode, size: ImageSize, clicks: int) -> list[PackedMask]:
    """Return a mask for each object of an image, the surest first.

    `clicks` are those along the longer side. Objects may lie on each other. What reaches three
    edges of the image is its background.
    """
    masks = (mask for mask in _predict_grid(decode, size, clicks) if _is_object(mask))
    kept: list[PackedMask] = []
    for one in sorted(map(PackedMask.pack, masks), key=lambda mask: -mask.score):
        if all(one.overlap(other) < MAX_OVERLAP for other in kept):
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
