"""Pixels to percent and back: Label Studio measures images in percent, models in pixels."""

import math
from collections.abc import Mapping
from typing import Any

from shared.media.image_size import ImageSize

# A hundredth of a pixel on an image 100,000 pixels wide.
PERCENT_DECIMALS = 5


def x_to_percent(x: float, size: ImageSize) -> float:
    """Return pixels as percent of the image's width; NaN for an image without one."""
    return _to_percent(x, size.width)


def y_to_percent(y: float, size: ImageSize) -> float:
    """Return pixels as percent of the image's height; NaN for an image without one."""
    return _to_percent(y, size.height)


def x_to_pixels(percent: float, size: ImageSize) -> float:
    """Return percent of the image's width as pixels."""
    return float(percent) * size.width / 100


def y_to_pixels(percent: float, size: ImageSize) -> float:
    """Return percent of the image's height as pixels."""
    return float(percent) * size.height / 100


def image_keys(size: ImageSize) -> dict[str, Any]:
    """Return the keys that stand beside `value` in a result on an image."""
    return {"original_width": size.width, "original_height": size.height, "image_rotation": 0}


def read_image_size(result: Mapping[str, Any]) -> ImageSize:
    """Return the image size that a result holds; KeyError if it holds none."""
    return ImageSize(result["original_width"], result["original_height"])


def _to_percent(pixels: float, whole: float) -> float:
    return round(float(pixels) * 100 / whole, PERCENT_DECIMALS) if whole else math.nan
