"""Result builders: pixels, characters and seconds in; the JSON that the editor displays out."""

from shared.results.image import Ellipse, ImageSize, KeyPoint, Rectangle
from shared.results.mask import Bitmask, Brush
from shared.results.outline import Polygon, Vector
from shared.results.region import Region, Result, region
from shared.results.text import TextSpan
from shared.results.whole_task import whole_task

__all__ = [
    "Bitmask",
    "Brush",
    "Ellipse",
    "ImageSize",
    "KeyPoint",
    "Polygon",
    "Rectangle",
    "Region",
    "Result",
    "TextSpan",
    "Vector",
    "region",
    "whole_task",
]
