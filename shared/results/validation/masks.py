"""Checks the `value` of masks: a brush's strokes (RLE), or a bitmask (PNG)."""

import base64

from shared.media.image_size import ImageSize
from shared.results.mask import PNG_DATA_URL, Bitmask
from shared.results.rle import peak_value
from shared.results.validation.finding import (
    Problems,
    RuleViolation,
    Value,
    is_number,
    list_problem,
    quote,
)

# Opacity (of 255) below which a mask is hardly visible.
MIN_VISIBLE_VALUE = 64
# Pixels of a bitmask that are decoded at most.
MAX_DECODED_PIXELS = 100_000_000


def check_brush(value: Value, result: Value) -> Problems:
    """Check a run-length encoded mask of the image's size."""
    rle = value.get("rle")
    if not isinstance(rle, list | tuple) or not rle:
        return [list_problem(value, "rle")]
    if value.get("format", "rle") != "rle":
        return [
            RuleViolation("wrong_format", f'"format" is {quote(value["format"])}, expected "rle"')
        ]
    try:
        data = bytes(rle)
    except (ValueError, TypeError):
        return [
            RuleViolation("wrong_format", '"rle" should hold bytes, whole numbers from 0 to 255')
        ]
    width, height = result.get("original_width"), result.get("original_height")
    if is_number(width) and is_number(height):
        size = int.from_bytes(data[:4], "big")
        if size != width * height * 4:
            return [_mask_size_problem(size, width, height)]
    return _mask_problems(data)


def _mask_problems(data: bytes) -> Problems:
    try:
        found = peak_value(data)
    except ValueError as error:
        return [RuleViolation("wrong_format", f'"rle" cannot be read: {error}')]
    if not found:
        return [RuleViolation("empty_mask", '"rle" is a mask without any pixel')]
    if found < MIN_VISIBLE_VALUE:
        what = f'"rle" is a mask of 0 and {found}, almost invisible; expected 0 and 255'
        return [RuleViolation("faint_mask", what, "warning")]
    return ()


def _mask_size_problem(size: int, width: float, height: float) -> RuleViolation:
    return RuleViolation(
        "mask_size",
        f'"rle" is a mask of {size / 4:g} pixels, expected {width:g} × {height:g} ='
        f" {width * height:g}, as the image has (is it COCO's RLE?)",
    )


def check_bitmask(value: Value, result: Value) -> Problems:
    """Check a PNG in a data URL."""
    url = value.get("imageDataURL")
    if not isinstance(url, str):
        return [RuleViolation("missing_key", '"imageDataURL" is missing')]
    size = _png_size(url)
    if size is None:
        what = f'"imageDataURL" is {quote(url)}, expected "{PNG_DATA_URL}…" with a PNG'
        return [RuleViolation("wrong_format", what)]
    width, height = result.get("original_width"), result.get("original_height")
    if is_number(width) and is_number(height) and size != (width, height):
        what = f"the bitmask has {size[0]} × {size[1]} pixels, the image {width:g} × {height:g}"
        return [RuleViolation("mask_size", f"{what}; the editor stretches it", "warning")]
    return _pixel_problems(value, size)


def _pixel_problems(value: Value, size: tuple[int, int]) -> Problems:
    if size[0] * size[1] > MAX_DECODED_PIXELS:
        return ()
    try:
        inside = Bitmask.from_value(value, ImageSize(*size)).mask.any()
    except ValueError:
        return [RuleViolation("wrong_format", '"imageDataURL" is a PNG that cannot be read')]
    return (
        ()
        if inside
        else [RuleViolation("empty_mask", "the bitmask has no pixel that is not clear")]
    )


def _png_size(url: str) -> tuple[int, int] | None:
    """Return width and height from the header of a PNG in a data URL; None if it is not one."""
    try:
        head = base64.b64decode(url[len(PNG_DATA_URL) : len(PNG_DATA_URL) + 44], validate=True)
    except ValueError:
        return None
    if not url.startswith(PNG_DATA_URL) or head[:8] != b"\x89PNG\r\n\x1a\n" or len(head) < 33:
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
