"""The part of a picture that a region marks, as a picture of its own."""

from collections.abc import Sequence

from backends.prompt.content.pictures import encode_picture
from backends.prompt.content.reading import Reading
from backends.prompt.question import ImagePart
from shared.backend import Image, ObjectTag
from shared.results import Ellipse, ParsedRegion, Polygon, Rectangle

# What is shown around a region, as a part of its longer side.
MARGIN = 0.1
AREAS = (Rectangle, Ellipse, Polygon)


def marks_area(region: ParsedRegion) -> bool:
    """Return whether a region is an area of a picture that can be cut out."""
    return isinstance(region.shape, AREAS) and region.source is not None


def read_crop(reading: Reading, target: ObjectTag, region: ParsedRegion, name: str) -> ImagePart:
    """Return the upright box around an area, with a margin; `name` is what it is called.

    TaskError if the picture cannot be read.
    """
    addresses = reading.task.media_addresses(target)
    index = region.region_keys.get("item_index") or 0
    address = addresses[min(index, len(addresses) - 1)][1]
    if target.is_list:  # possibly the pages of a document
        pages = reading.media.read_pages(address, reading.task.id)
        image = pages[min(index, len(pages) - 1)] if len(addresses) == 1 else pages[0]
    else:
        image = reading.media.read_image(address, reading.task.id)
    return encode_picture(name, crop_image(image, region), reading.limits)


def crop_image(image: Image, region: ParsedRegion) -> Image:
    """Return the part of an image around an area, which was drawn in any size of it."""
    points = _corners(region.shape)
    across, down = (whole / drawn for whole, drawn in zip(image.size, region.source, strict=True))
    xs, ys = [x * across for x, _ in points], [y * down for _, y in points]
    margin = MARGIN * max(max(xs) - min(xs), max(ys) - min(ys))
    left, right = (_clip(x, image.size.width) for x in (min(xs) - margin, max(xs) + margin))
    top, bottom = (_clip(y, image.size.height) for y in (min(ys) - margin, max(ys) + margin))
    # At least a pixel, wherever it lies.
    left, top = min(left, image.size.width - 1), min(top, image.size.height - 1)
    return Image(image.pixels[top : max(bottom, top + 1), left : max(right, left + 1)])


def _clip(number: float, whole: int) -> int:
    return round(min(max(number, 0.0), float(whole)))


def _corners(shape: object) -> Sequence[Sequence[float]]:
    if isinstance(shape, Rectangle):
        return shape.corners()
    if isinstance(shape, Ellipse):
        radius = max(shape.radius_x, shape.radius_y)  # however it is turned
        return ((shape.x - radius, shape.y - radius), (shape.x + radius, shape.y + radius))
    return shape.points if isinstance(shape, Polygon) else ((0.0, 0.0),)
