"""What one run of a network detects on one image; each control tag takes its part of it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.masks import Masks, ScaledMasks
from shared.results import ImageSize

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Detections:
    """The n objects on one image, highest score first; or a classifier's probabilities.

    In pixels of the upright image: `boxes` (n, 4) are left, top, right, bottom; `scores` (n,) are
    from 0 to 1; `classes` (n,) are indices into `class_names`. Only some networks have the rest,
    which is None otherwise: `oriented_boxes` (n, 5), as centre, width, height and clockwise angle
    in radians, around which `boxes` are drawn; `masks` of n objects; `keypoints` (n, k, 3), as x, y
    and score; `probabilities` (c,), one for each class name, from a classifier, which has no
    objects. `iou_threshold` is the overlap above which two boxes were merged; None if not known.
    `keypoint_names` are the labels of k keypoints, from a network that was trained on them.
    """

    size: ImageSize
    class_names: tuple[str, ...]
    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]
    oriented_boxes: Floats | None = None
    masks: Masks | ScaledMasks | None = None
    keypoints: Floats | None = None
    probabilities: Floats | None = None
    iou_threshold: float | None = None
    keypoint_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def class_name(self, row: int) -> str:
        """Return the class of an object."""
        return self.class_names[int(self.classes[row])]


class FoundObjects(NamedTuple):
    """The n objects of other libraries' models: `classes` (n,) are indices into classes or words.

    `boxes` (n, 4) are left, top, right, bottom in pixels; `masks` (n, h, w) probabilities of pixels
    of the whole image, at the model's resolution.
    """

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]
    masks: NDArray[np.float16] | None = None
