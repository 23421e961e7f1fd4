"""What one pass of a network finds on one image; every control tag picks its part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.masks import Masks
from shared.results import ImageSize

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Detections:
    """The objects on one image, the surest first; or its classes, of a classifying network.

    Of n objects, in pixels of the upright image: `boxes` of shape (n, 4) are left, top, right,
    bottom; `scores` (n,) lie from 0 to 1; `classes` (n,) are indices into `names`. What only
    some networks find is None elsewhere: `turned` (n, 5), the oriented boxes as centre, width,
    height and clockwise turn in radians, around which `boxes` then lie; `masks` of n objects;
    `points` (n, k, 3), x, y and score of k key points; `probabilities` (c,), one a name, of a
    network that finds no objects. `iou` is the overlap from which two boxes are one here;
    None if nobody said.
    """

    size: ImageSize
    names: tuple[str, ...]
    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]
    turned: Floats | None = None
    masks: Masks | None = None
    points: Floats | None = None
    probabilities: Floats | None = None
    iou: float | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def name(self, index: int) -> str:
        """The class of an object."""
        return self.names[int(self.classes[index])]
