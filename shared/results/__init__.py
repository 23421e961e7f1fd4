"""Result builders: pixels, characters and seconds in; the JSON that the editor displays out."""

from shared.results.image import ImageSize, Polygon, Rectangle
from shared.results.region import Region, Result, region
from shared.results.text import TextSpan
from shared.results.whole_task import whole_task

__all__ = [
    "ImageSize",
    "Polygon",
    "Rectangle",
    "Region",
    "Result",
    "TextSpan",
    "region",
    "whole_task",
]
