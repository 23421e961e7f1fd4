"""The size of an image, without a library that opens any."""

from typing import NamedTuple


class ImageSize(NamedTuple):
    """Width and height in pixels of the upright image (EXIF orientation applied)."""

    width: int
    height: int
