"""Regions drawn on an image, to be seen without Label Studio."""

from collections.abc import Iterable
from math import cos, radians, sin
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from shared.results import rle

# How much of a mask's colour is laid over the picture.
MASK_OPACITY = 0.6
COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324")


def draw_regions(picture: Path, results: Iterable[dict[str, Any]], target: Path) -> None:
    """Write the picture with what `results` mark, each with its labels or text.

    Boxes and polygons get an outline, masks their colour.
    """
    with Image.open(picture) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(max(12, image.height // 45))
    regions: dict[str, dict[str, Any]] = {}
    for result in results:
        regions.setdefault(str(result.get("id")), {}).update(result["value"])
    names = list(dict.fromkeys(_label(value) for value in regions.values()))
    for value in regions.values():
        color = COLORS[names.index(_label(value)) % len(COLORS)]
        if "rle" in value:
            corner = _lay_over(image, value["rle"], color)
            _draw_caption(pen, corner, _label(value), color, font)
        corners = _corners(value, image.width, image.height)
        if corners:
            pen.polygon(corners, outline=color, width=max(2, image.height // 300))
            _draw_caption(
                pen, corners[0], " ".join(value.get("text", [])) or _label(value), color, font
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target)


def _lay_over(image: Image.Image, mask: list[int], color: str) -> tuple[float, float]:
    """Colour the pixels of a mask; return the corner of the box around them."""
    covered = Image.fromarray(rle.decode(mask, image.height, image.width))
    opacity = covered.point(lambda value: round(value * MASK_OPACITY))
    image.paste(Image.new("RGB", image.size, color), mask=opacity)
    left, top, _, _ = covered.getbbox() or (0, 0, 0, 0)
    return left, top


def _label(value: dict[str, Any]) -> str:
    for key, labels in value.items():
        if key.endswith("labels") and labels:
            return str(labels[0])
    return ""


def _corners(value: dict[str, Any], width: int, height: int) -> list[tuple[float, float]]:
    if "points" in value:
        return [(x * width / 100, y * height / 100) for x, y in value["points"]]
    if "x" not in value or "width" not in value:
        return []
    left, top = value["x"] * width / 100, value["y"] * height / 100
    width_px, height_px = value["width"] * width / 100, value["height"] * height / 100
    angle = radians(value.get("rotation", 0))
    return [
        (left + x * cos(angle) - y * sin(angle), top + x * sin(angle) + y * cos(angle))
        for x, y in ((0, 0), (width_px, 0), (width_px, height_px), (0, height_px))
    ]


def _draw_caption(pen: Any, corner: tuple[float, float], text: str, color: str, font: Any) -> None:
    if text:
        position = corner[0], max(0.0, corner[1] - font.size - 4)
        pen.rectangle(pen.textbbox(position, text, font=font), fill=color)
        pen.text(position, text, fill="white", font=font)
