"""Where Label Studio's editor draws a track: regions/VideoRegion.js and VideoRectangleRegion.js."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.backends.detection.clip import Box


def shown_box(
    sequence: Sequence[Mapping[str, Any]], frame: int, size: tuple[int, int]
) -> Box | None:
    """Return the box in pixels on a frame counted from 1; None while it is hidden."""
    before = [key for key in sequence if key["frame"] <= frame]
    after = [key for key in sequence if key["frame"] > frame]
    if not before or (before[-1]["frame"] < frame and not before[-1]["enabled"]):
        return None
    box = {part: before[-1][part] for part in ("x", "y", "width", "height")}
    if before[-1]["frame"] < frame and after:
        way = (frame - before[-1]["frame"]) / (after[0]["frame"] - before[-1]["frame"])
        box = {part: value + (after[0][part] - value) * way for part, value in box.items()}
    across, down = size[0] / 100, size[1] / 100
    left, top = box["x"] * across, box["y"] * down
    return left, top, left + box["width"] * across, top + box["height"] * down


def box_iou(one: Box, other: Box) -> float:
    """Return the overlap (IoU) of two boxes."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0.0) * max(down, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)
