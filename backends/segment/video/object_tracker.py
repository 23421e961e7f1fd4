"""The interface of what follows objects from frame to frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from backends.segment.prompts import BinaryMask, ObjectPrompt
from shared.media.image import Pixels
from shared.results import ImageSize


class Edges(NamedTuple):
    """A box: its edges in pixels of the frame."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """How high it is."""
        return self.bottom - self.top


@dataclass(frozen=True, eq=False)
class FoundObject:
    """An object on a frame: its box, how sure the model is (0 to 1), and its mask.

    `pixels` is the mask cut to what it covers, which begins at the box's left and top.
    """

    box: Edges
    score: float
    pixels: BinaryMask

    @classmethod
    def of_mask(cls, mask: BinaryMask, score: float, left: int = 0, top: int = 0) -> "FoundObject":
        """Return the object of a mask that is not empty, whose first pixel is at `left`, `top`."""
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        first_row, end_row = int(rows[0]), int(rows[-1]) + 1
        first_column, end_column = int(columns[0]), int(columns[-1]) + 1
        edges = (first_column + left, first_row + top, end_column + left, end_row + top)
        pixels = mask[first_row:end_row, first_column:end_column].copy()
        return cls(Edges(*map(float, edges)), score, pixels)

    @property
    def area(self) -> int:
        """How many pixels it covers."""
        return int(np.count_nonzero(self.pixels))

    def full_mask(self, size: ImageSize) -> BinaryMask:
        """Return the mask of the whole frame."""
        mask = np.zeros((size.height, size.width), bool)
        left, top, right, bottom = map(int, self.box)
        mask[top:bottom, left:right] = self.pixels
        return mask


class ObjectTracker(Protocol):
    """Follows some objects through frames, which it is given one after the other.

    What it keeps of them is bounded, however many frames there are. In the order of time or
    against it: it does not know.
    """

    def start(self, image: Pixels, prompts: Sequence[ObjectPrompt]) -> Sequence[FoundObject | None]:
        """Return each object on the first frame, where it is drawn; None where nothing is found."""

    def follow(self, image: Pixels) -> Sequence[FoundObject | None]:
        """Return each object on the next frame; None where it is not seen."""
