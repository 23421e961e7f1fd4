"""Parsed regions for tests of metrics."""

from typing import Any

from shared.label_studio.label_config import Control
from shared.results import ImageSize, ParsedRegion
from shared.results.types import Shape

SIZE = ImageSize(100, 100)
BOX = Control("RectangleLabels", "box", "image")
SPEAKER = Control("Labels", "speaker", "audio")


def region_of(shape: Shape, label: Any = None, control: Control = BOX, **more: Any) -> ParsedRegion:
    """Return a region with one label, several, or none."""
    labels = [label] if isinstance(label, str) else label
    source = more.pop("source", SIZE)
    region_keys = more.pop("region_keys", {})
    return ParsedRegion(
        more.pop("id", ""), shape, {control: labels}, source, more.pop("score", None), region_keys
    )
