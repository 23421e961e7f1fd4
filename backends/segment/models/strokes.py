"""Turns a painted stroke into clicks, which every model understands."""

import cv2
import numpy as np

from backends.segment.prompts import BinaryMask, ObjectPrompt, Point

# Clicks that stand for a stroke: each costs a little, and more add hardly anything.
MAX_STROKE_POINTS = 6
# Points are kept this far inside the stroke, as a fraction of its greatest half-width.
_INNER_FRACTION = 0.5


def all_points(prompt: ObjectPrompt) -> list[Point]:
    """Return the clicks of a prompt, and those that stand for its stroke."""
    stroke = [] if prompt.stroke is None else points_on_stroke(prompt.stroke)
    return [*stroke, *prompt.points]


def points_on_stroke(stroke: BinaryMask) -> list[Point]:
    """Return positive points well inside a stroke, each as far from the others as can be.

    The same stroke gives the same points. None for an empty stroke.
    """
    bordered = np.pad(stroke.astype(np.uint8), 1)
    depth = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1]
    if not depth.any():
        return []
    ys, xs = np.nonzero(depth >= _INNER_FRACTION * depth.max())
    places = np.stack([xs, ys], 1).astype(np.float32)
    first = int(np.argmax(depth[ys, xs]))
    chosen, distance = [first], np.full(len(places), np.inf, np.float32)
    while len(chosen) < MAX_STROKE_POINTS:
        distance = np.minimum(distance, np.hypot(*(places - places[chosen[-1]]).T))
        farthest = int(np.argmax(distance))
        if distance[farthest] < 2 * depth.max():
            break
        chosen.append(farthest)
    return [Point(float(x) + 0.5, float(y) + 0.5) for x, y in places[chosen]]
