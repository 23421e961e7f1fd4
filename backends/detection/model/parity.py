"""Whether a converted network finds what PyTorch does: asked when it is loaded."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from backends.detection.model.detections import Detections, Floats
from shared.errors import ModelError
from shared.media.image import Image, decode

# Least overlap (intersection over union) of a box with PyTorch's.
OVERLAP = 0.98
# How far scores, and probabilities of classes, may lie apart.
SCORE = 0.02
# Objects under this score are not compared: what is hardly there has no edges.
SURE = 0.3
# In less precision half of the objects must lie so many times nearer than they may.
#
# On drawn pictures one object in a hundred was 7 times as far off as the one in the middle, one in
# a thousand 13 times: few pictures say something of many.
TYPICAL = 10
# Objects from which that is asked.
ENOUGH = 20
# Overlap from which two boxes are one object's.
SAME = 0.7

Detect = Callable[[Sequence[Image]], Sequence[Detections]]


def check(fast: Detect, expected: Sequence[Detections], less_precise: bool = False) -> None:
    """ModelError says how far a network is from what PyTorch finds on the pictures, if too far.

    Both must give all boxes, those of the same object too.
    """
    founds = fast(pictures())
    parts = np.concatenate([deviation(*pair) for pair in zip(founds, expected, strict=True)])
    if parts.max(initial=0) > 1:
        allowed = f"an overlap of {OVERLAP}, {SCORE} of a score"
        raise ModelError(
            f"its boxes or scores are {parts.max():.2g} times as far from PyTorch's as may be"
            f" ({allowed})"
        )
    if less_precise:
        if len(parts) < ENOUGH:
            raise ModelError(f"it finds {len(parts)} objects on the pictures that are compared")
        if np.median(parts) > 1 / TYPICAL:
            raise ModelError("its boxes and scores are often near to what they may differ")


def deviation(found: Detections, expected: Detections) -> Floats:
    """How far two answers for an image are from each other: for each object that either leaves
    when it has one box each, in parts of what may be; infinite for one that the other lacks.

    Such a box is compared with all of the other's: which of two equally sure ones of an object
    stays is a matter of their last digits.
    """
    if expected.probabilities is not None and found.probabilities is not None:
        farthest = np.abs(found.probabilities - expected.probabilities).max(initial=0)
        return np.array([farthest / SCORE], np.float32)
    pairs = ((expected, found), (found, expected))
    parts = [distance(one, at, other) for one, other in pairs for at in stays(one)]
    return np.array(parts, np.float32)


def stays(found: Detections) -> Sequence[int]:
    """The places of the surest box of each object, among all boxes."""
    import torch
    from torchvision.ops import batched_nms

    sure = np.flatnonzero(found.scores >= SURE)
    arrays = (found.boxes[sure], found.scores[sure], found.classes[sure])
    kept: list[int] = sure[batched_nms(*map(torch.from_numpy, arrays), SAME).numpy()].tolist()
    return kept


def distance(one: Detections, at: int, other: Detections) -> float:
    """Of a box to the nearest of its class in the other answer, in parts of what may be."""
    same = other.classes == one.classes[at]
    boxes = (1 - box_ious(other.boxes[same], one.boxes[at])) / (1 - OVERLAP)
    scores = np.abs(other.scores[same] - one.scores[at]) / SCORE
    return float(np.maximum(boxes, scores).min(initial=np.inf))


def box_ious(boxes: Floats, box: Floats) -> Floats:
    """Intersection over union of boxes (n, 4) with one."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    found: Floats = shared / np.maximum(areas - shared, 1e-9)
    return found


@cache
def pictures() -> tuple[Image, ...]:
    """The drawn examples and the photos that Ultralytics' package brings; mirrored and at half
    the size too.
    """
    spec = find_spec("ultralytics")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    files = [*Path(__file__).parents[1].glob("examples/*.png"), *package.glob("assets/*.jpg")]
    plain = [decode(path.read_bytes(), 100).pixels for path in sorted(files)]
    forms = [form for one in plain for form in (one, one[:, ::-1], one[::2, ::2])]
    return tuple(Image(np.ascontiguousarray(form)) for form in forms)
