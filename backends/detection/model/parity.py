"""Compares a converted network with PyTorch when it is loaded, before it is trusted.

Converters have bugs, and a precision that suits one network ruins the boxes of another. So each
network is run on a few images by both engines; the limits below say how far they may differ.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.detections import Detections, Floats
from backends.detection.model.suppression import to_corner_and_size
from shared.errors import ModelError
from shared.evaluation.similarity.boxes import box_iou
from shared.media.image import Image, decode_image

# Minimum overlap (IoU) of a box with PyTorch's.
MIN_IOU = 0.98
# Maximum difference of scores, and of a classifier's probabilities.
MAX_SCORE_DIFFERENCE = 0.02
# Objects under this score are not compared: the edges of what is hardly there are arbitrary.
MIN_SCORE = 0.3
# In less than single precision, half of the objects must be this many times nearer than allowed.
# A few images cannot show the rare large deviations: on drawn images one object in a hundred was
# 7 times as far off as the median, one in a thousand 13 times.
MEDIAN_MARGIN = 10
# Objects that are needed to judge the median.
MIN_OBJECTS = 20
# Boxes that overlap by more than this (IoU) belong to one object.
SAME_OBJECT_IOU = 0.7
# So many times as far off as allowed, which is half of a box or of a score, an object is not found.
LOST = 0.5 / MAX_SCORE_DIFFERENCE

Detect = Callable[[Sequence[Image]], Sequence[Detections]]


def check_parity(
    detect: Detect, expected: Sequence[Detections], less_precise: bool = False
) -> None:
    """Raise ModelError if a network differs too far from PyTorch's detections, `expected`.

    Both must be detected without merging the boxes of an object.
    """
    compare_detections(detect(comparison_images()), expected, less_precise)


def compare_detections(
    found: Sequence[Detections],
    expected: Sequence[Detections],
    less_precise: bool = False,
    reference: str = "PyTorch's",
) -> Floats:
    """Return how far the detections on images differ from those expected: see `deviations`.

    `reference` says for people whose those are. Raises ModelError if that is too far.
    """
    parts = np.concatenate([deviations(*pair) for pair in zip(found, expected, strict=True)])
    # A classifier has no objects that could be lost.
    limit = LOST if all(one.probabilities is None for one in expected) else np.inf
    lost, near = parts >= limit, parts[parts < limit]
    reasons = []
    if near.max(initial=0) > 1:
        reasons.append(
            f"its boxes or scores deviate from {reference} by {near.max():.2g} times the limit"
            f" (an overlap of {MIN_IOU}, {MAX_SCORE_DIFFERENCE} of a score)"
            + (f", {np.mean(near > 1):.0%} of {len(near)} by more than it" if less_precise else "")
        )
    if lost.any():
        reasons.append(f"{lost.sum()} of {len(parts)} objects are found by only one of the two")
    if reasons:
        raise ModelError(" and ".join(reasons))
    if less_precise:
        if len(parts) < MIN_OBJECTS:
            raise ModelError(
                f"it finds {len(parts)} objects on the images that are compared; at least"
                f" {MIN_OBJECTS} tell"
            )
        if np.median(parts) > 1 / MEDIAN_MARGIN:
            raise ModelError("too many of its boxes and scores are close to the limit")
    return parts


def deviations(found: Detections, expected: Detections) -> Floats:
    """Return how far two outputs for an image differ: for each object, in parts of the limit.

    The objects are the best boxes of either output. Each is compared with all boxes of the other
    one, not just with its best: which of two nearly equal boxes of an object has the higher score
    is decided by the last digits. Infinite for an object that the other output lacks.
    """
    if expected.probabilities is not None and found.probabilities is not None:
        largest = np.abs(found.probabilities - expected.probabilities).max(initial=0)
        return np.array([largest / MAX_SCORE_DIFFERENCE], np.float32)
    pairs = ((expected, found), (found, expected))
    parts = [box_deviation(one, row, other) for one, other in pairs for row in best_boxes(one)]
    return np.array(parts, np.float32)


def best_boxes(detections: Detections) -> Sequence[int]:
    """Return the row of the best box of each object."""
    import torch
    from torchvision.ops import batched_nms

    rows = np.flatnonzero(detections.scores >= MIN_SCORE)
    arrays = (detections.boxes[rows], detections.scores[rows], detections.classes[rows])
    best: list[int] = rows[
        batched_nms(*map(torch.from_numpy, arrays), SAME_OBJECT_IOU).numpy()
    ].tolist()
    return best


def box_deviation(detections: Detections, row: int, other: Detections) -> float:
    """Return how far a box is from the nearest of its class in `other`, in parts of the limit."""
    same = other.classes == detections.classes[row]
    boxes = (1 - box_ious(other.boxes[same], detections.boxes[row])) / (1 - MIN_IOU)
    scores = np.abs(other.scores[same] - detections.scores[row]) / MAX_SCORE_DIFFERENCE
    return float(np.maximum(boxes, scores).min(initial=np.inf))


def box_ious(boxes: Floats, box: Floats) -> NDArray[np.float64]:
    """Return the overlap (IoU) of boxes (n, 4) with one."""
    return box_iou(to_corner_and_size(boxes), to_corner_and_size(box[None]))[:, 0]


@cache
def comparison_images() -> tuple[Image, ...]:
    """Return our examples and Ultralytics' sample photos, also mirrored and at half size."""
    spec = find_spec("ultralytics")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    files = [*Path(__file__).parents[1].glob("examples/*.png"), *package.glob("assets/*.jpg")]
    originals = [decode_image(path.read_bytes(), 100).pixels for path in sorted(files)]
    variants = [v for pixels in originals for v in (pixels, pixels[:, ::-1], pixels[::2, ::2])]
    return tuple(Image(np.ascontiguousarray(pixels)) for pixels in variants)
