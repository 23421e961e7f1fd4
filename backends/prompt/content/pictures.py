"""Pictures: upright, scaled to what the model takes, as JPEG files."""

import io
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PIL import Image as Pillow

from backends.prompt.content.limits import ContentLimits
from backends.prompt.content.reading import ObjectContent, Reading, empty_value
from backends.prompt.content_settings import BoxFormat
from backends.prompt.question import ContentPart, ImagePart, TextPart
from shared.backend import Image, ObjectTag
from shared.media.image_size import ImageSize

JPEG_QUALITY = 90
# The side of the squares into which Qwen2.5-VL cuts pictures, in pixels.
PIXEL_PATCH = 28


class SentPicture(NamedTuple):
    """A picture that the model saw: `size` as it was sent, `original_size` in the task (pixels).

    `item_index` is its place in a list of pictures (`valueList`), or its page's number.
    """

    item_index: int | None
    size: ImageSize
    original_size: ImageSize


class SentPictures(NamedTuple):
    """All pictures of an object tag, and how the model writes boxes on them, if it does."""

    pictures: tuple[SentPicture, ...]
    box_format: BoxFormat | None = None


def read_pictures(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read the picture of an Image tag, or those of its list, as many as the limits allow.

    A single PDF or TIFF in place of a list is the list of its pages.
    """
    reading.require("image", target)
    parts, most = list[ImagePart](), reading.limits.pictures
    omitted: tuple[str, ...] = ()
    for index, picture in _decode_pictures(reading, target):
        if len(parts) == most:
            omitted = (f"{target}: the first {most} pictures are read (PROMPT_MAX_PICTURES)",)
            break
        parts.append(encode_picture(target.name, picture, reading.limits, index))
    if not parts:
        raise empty_value(target)
    shown: list[ContentPart] = [*parts]
    if omitted:
        shown.append(TextPart(target.name, "(The other pictures are not shown.)"))
    sent = SentPictures(sent_pictures(parts), reading.limits.box_format)
    return ObjectContent(tuple(shown), sent, omitted)


def _decode_pictures(reading: Reading, target: ObjectTag) -> Iterator[tuple[int | None, Image]]:
    """Yield each picture with its `item_index`; those of a list are decoded one at a time."""
    addresses, media = reading.task.media_addresses(target), reading.media
    if not target.is_list:
        yield None, media.read_image(addresses[0][1], reading.task.id)
    elif len(addresses) == 1:
        yield from enumerate(media.iterate_pages(addresses[0][1], reading.task.id))
    else:
        for index, address in addresses:
            yield index, next(media.iterate_pages(address, reading.task.id))


def sent_pictures(parts: Sequence[ImagePart]) -> tuple[SentPicture, ...]:
    """Return the sizes of pictures without their files."""
    return tuple(SentPicture(part.item_index, part.size, part.original_size) for part in parts)


def encode_picture(
    name: str, image: Image, limits: ContentLimits, item_index: int | None = None
) -> ImagePart:
    """Return a picture as a JPEG file within the limits, in its own proportions."""
    size = scaled_size(image.size, limits.image_pixels)
    if limits.box_format == "xyxy_pixels":
        size = align_size(size, PIXEL_PATCH)
    picture = Pillow.fromarray(image.pixels)
    if size != image.size:
        picture = picture.resize(size, Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return ImagePart(name, file.getvalue(), "image/jpeg", size, image.size, item_index)


def scaled_size(size: ImageSize, max_pixels: int) -> ImageSize:
    """Return the largest size of the same proportions with at most `max_pixels`."""
    if size.width * size.height <= max_pixels:
        return size
    factor = math.sqrt(max_pixels / (size.width * size.height))
    return ImageSize(max(1, int(size.width * factor)), max(1, int(size.height * factor)))


def align_size(size: ImageSize, patch: int) -> ImageSize:
    """Return the nearest size whose sides are multiples of `patch`, at least two each.

    Qwen2.5-VL scales pictures to such sides by itself, and writes boxes in pixels of those.
    """
    return ImageSize(*(max(round(side / patch), 2) * patch for side in size))
