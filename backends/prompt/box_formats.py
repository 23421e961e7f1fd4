"""How vision models write boxes, and what that means in pixels of the original picture.

- `xyxy_1000`: left, top, right, bottom in thousandths of the picture (Qwen2-VL, Qwen3-VL;
  https://github.com/QwenLM/Qwen3-VL, cookbook "2d_grounding")
- `yxyx_1000`: top, left, bottom, right in thousandths (Gemini;
  https://ai.google.dev/gemini-api/docs/image-understanding)
- `xyxy_pixels`: left, top, right, bottom in pixels of the picture that was sent (Qwen2.5-VL)
- `xyxy_1`: left, top, right, bottom in parts of 1
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backends.prompt.content.pictures import SentPicture
from backends.prompt.content_settings import BoxFormat

# The part of the picture by which a box may exceed it: models round, and look at padding.
TOLERANCE = 0.02
THOUSANDTHS = 1000.0

UNITS: Mapping[BoxFormat, str] = {
    "xyxy_1000": "left, top, right and bottom edge, each from 0 to 1000 of the picture's size",
    "yxyx_1000": "top, left, bottom and right edge, each from 0 to 1000 of the picture's size",
    "xyxy_pixels": "left, top, right and bottom edge in pixels of the picture",
    "xyxy_1": "left, top, right and bottom edge, each from 0.0 to 1.0 of the picture's size",
}


class BoxError(ValueError):
    """A model's box that lies nowhere in its picture; the message says why."""


class PixelBox(NamedTuple):
    """Left, top, right and bottom in pixels of the original, upright picture."""

    left: float
    top: float
    right: float
    bottom: float


def describe_box(box_format: BoxFormat) -> dict[str, Any]:
    """Return the schema of a box."""
    return {
        "type": "array",
        "items": {"type": "number" if box_format == "xyxy_1" else "integer"},
        "minItems": 4,
        "maxItems": 4,
        "description": f"The box around it: {UNITS[box_format]}",
    }


def read_box(written: Sequence[Any], box_format: BoxFormat, picture: SentPicture) -> PixelBox:
    """Return a model's box in pixels of the original picture; BoxError if it cannot be one.

    What exceeds the picture a little is clipped; corners are not put into another order, since
    that mostly means another format.
    """
    if len(written) != len(PixelBox._fields) or not all(map(_is_finite, written)):
        raise BoxError("a box has four numbers")
    first, second, third, fourth = (float(number) for number in written)
    if box_format == "yxyx_1000":
        first, second, third, fourth = second, first, fourth, third
    across, down = _unit(box_format, picture)
    box = (first / across, second / down, third / across, fourth / down)
    if min(box) < -TOLERANCE or max(box) > 1 + TOLERANCE:
        raise BoxError(f"it lies outside of the picture by PROMPT_BOX_FORMAT={box_format}")
    left, top, right, bottom = (min(max(part, 0.0), 1.0) for part in box)
    if left >= right or top >= bottom:
        raise BoxError(f"it has no area by PROMPT_BOX_FORMAT={box_format}")
    width, height = picture.original_size
    return PixelBox(left * width, top * height, right * width, bottom * height)


def _unit(box_format: BoxFormat, picture: SentPicture) -> tuple[float, float]:
    """Return the numbers that stand for the picture's right and bottom edge."""
    if box_format == "xyxy_pixels":
        return picture.size.width, picture.size.height
    whole = 1.0 if box_format == "xyxy_1" else THOUSANDTHS
    return whole, whole


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)
