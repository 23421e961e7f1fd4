"""The size of an image, in a module that imports no image library."""

from typing import NamedTuple


class ImageSize(NamedTuple):
    """Width and height in pixels of the upright image (EXIF orientation applied)."""

    width: int
    height: int
