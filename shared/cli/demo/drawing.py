"""Regions drawn on an image, for a look without Label Studio."""

from collections.abc import Iterable
from math import cos, radians, sin
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324")


def draw(picture: Path, results: Iterable[dict[str, Any]], target: Path) -> None:
    """Write the picture with the boxes and polygons of `results`, each with its labels or text."""
    with Image.open(picture) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(max(12, image.height // 45))
    regions: dict[str, dict[str, Any]] = {}
    for result in results:
        regions.setdefault(str(result.get("id")), {}).update(result["value"])
    names = list(dict.fromkeys(_name(value) for value in regions.values()))
    for value in regions.values():
        colour = COLOURS[names.index(_name(value)) % len(COLOURS)]
        corners = _corners(value, image.width, image.height)
        if corners:
            pen.polygon(corners, outline=colour, width=max(2, image.height // 300))
            _tag(pen, corners[0], " ".join(value.get("text", [])) or _name(value), colour, font)
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target)


def _name(value: dict[str, Any]) -> str:
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
    across, down = value["width"] * width / 100, value["height"] * height / 100
    turn = radians(value.get("rotation", 0))
    return [
        (left + x * cos(turn) - y * sin(turn), top + x * sin(turn) + y * cos(turn))
        for x, y in ((0, 0), (across, 0), (across, down), (0, down))
    ]


def _tag(pen: Any, corner: tuple[float, float], text: str, colour: str, font: Any) -> None:
    if text:
        place = corner[0], max(0.0, corner[1] - font.size - 4)
        pen.rectangle(pen.textbbox(place, text, font=font), fill=colour)
        pen.text(place, text, fill="white", font=font)
