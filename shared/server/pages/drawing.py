"""Our own drawing of predictions: boxes and outlines on images, spans in texts, and values.

It stands in for Label Studio's editor where that is not installed, or scripts are off.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from shared.label_studio.label_config import LabelConfig

# Colours of labels in the style sheet: one class each.
COLOURS = 8
# Characters of a value in the list.
MAX_SHOWN = 200
# Sides of the polygon that stands for an ellipse.
ELLIPSE_STEPS = 36


@dataclass(frozen=True)
class Shape:
    """A region on an image: the points of its outline, in pixels of the image."""

    points: str
    label: str
    colour: int
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """An image and the shapes on it."""

    url: str
    width: float
    height: float
    shapes: Sequence[Shape]


@dataclass(frozen=True)
class Piece:
    """A part of a text, with the labels of the spans over it."""

    text: str
    labels: str = ""
    colour: int = 0


@dataclass(frozen=True)
class Row:
    """A result in the list under the drawing."""

    control: str
    value: str
    score: float | None


@dataclass(frozen=True)
class Drawing:
    """All that is drawn of a prediction."""

    pictures: Sequence[Picture]
    texts: Sequence[Sequence[Piece]]
    rows: Sequence[Row]


def draw_prediction(
    config: LabelConfig, data: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> Drawing:
    """Draw valid results on what the task shows; what cannot be drawn is listed all the same."""
    pictures: list[Picture] = []
    texts: list[Sequence[Piece]] = []
    colours = Colours()
    for target in config.objects.values():
        shown = data.get(target.key) if target.key else None
        own = [result for result in results if result.get("to_name") == target.name]
        if isinstance(shown, list) and shown and target.tag == "Image":
            shown = shown[0]
            own = [result for result in own if not result.get("item_index")]
        if not isinstance(shown, str):
            continue
        if target.tag == "Image" and shown.startswith("data:image/"):
            pictures.append(_draw_picture(shown, own, colours))
        elif target.tag == "Text":
            texts.append(_split_text(shown, own, colours))
    return Drawing(pictures, texts, [_describe_result(result) for result in results])


class Colours:
    """Gives each label a colour, in the order in which they come."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, label: str) -> int:
        """Return the number of a label's colour."""
        return self._known.setdefault(label, len(self._known)) % COLOURS


def labels_of(result: Mapping[str, Any]) -> str:
    """Return the labels of a result, joined."""
    found = result.get("value", {}).get(result.get("type"))
    if not isinstance(found, list):
        return ""
    return ", ".join(" / ".join(map(str, x)) if isinstance(x, list) else str(x) for x in found)


def _draw_picture(url: str, results: Iterable[Mapping[str, Any]], colours: Colours) -> Picture:
    """Draw regions in pixels of the original; without a region it has no size, and needs none."""
    by_region: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        if result.get("original_width") and result.get("original_height"):
            by_region.setdefault(str(result.get("id")), []).append(result)
    first = next(iter(by_region.values()), [{}])[0]
    width = float(first.get("original_width", 0))
    height = float(first.get("original_height", 0))
    shapes = []
    for parts in by_region.values():
        points = _outline(parts[0]["value"], width, height)
        label = next((name for part in parts if (name := labels_of(part))), "")
        if points:
            text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            x, y = min(points, key=lambda point: (point[1], point[0]))
            shapes.append(Shape(text, label, colours.of(label), x, y))
    return Picture(url, width, height, shapes)


def _outline(value: Mapping[str, Any], width: float, height: float) -> list[tuple[float, float]]:
    """Return the corners of a shape, from percent to pixels; none for a shape of another kind."""
    if "points" in value:
        return [(x * width / 100, y * height / 100) for x, y in value["points"]]
    if "x" not in value or "y" not in value:
        return []
    x, y = value["x"] * width / 100, value["y"] * height / 100
    turn = math.radians(value.get("rotation") or 0)
    if "radiusX" in value:
        radii = value["radiusX"] * width / 100, value["radiusY"] * height / 100
        angles = [step * math.tau / ELLIPSE_STEPS for step in range(ELLIPSE_STEPS)]
        offsets = [(radii[0] * math.cos(a), radii[1] * math.sin(a)) for a in angles]
    else:
        side = value["width"] * width / 100
        other = value.get("height", value["width"]) * height / 100
        offsets = [(0.0, 0.0), (side, 0.0), (side, other), (0.0, other)]
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x + dx * cos - dy * sin, y + dx * sin + dy * cos) for dx, dy in offsets]


def _split_text(text: str, results: Iterable[Mapping[str, Any]], colours: Colours) -> list[Piece]:
    """Cut a text where spans begin and end; offsets of a Text tag are code points."""
    spans = [
        (result["value"]["start"], result["value"]["end"], labels_of(result))
        for result in results
        if isinstance(result.get("value", {}).get("start"), int) and labels_of(result)
    ]
    cuts = sorted({0, len(text), *(min(at, len(text)) for s, e, _ in spans for at in (s, e))})
    pieces = []
    for start, end in pairwise(cuts):
        over = [label for s, e, label in spans if s <= start and end <= e]
        colour = colours.of(over[0]) if over else 0
        pieces.append(Piece(text[start:end], ", ".join(over), colour))
    return pieces


def _describe_result(result: Mapping[str, Any]) -> Row:
    value = result.get("value", {})
    words = labels_of(result)
    rest = value.get("text", value.get(str(result.get("type")), ""))
    if rest and not isinstance(rest, list | dict):
        words = f"{words}: {rest}" if words else str(rest)
    elif isinstance(rest, list) and not words:
        words = " ".join(map(str, rest))
    score = result.get("score")
    number = float(score) if isinstance(score, int | float) else None
    return Row(str(result.get("from_name", "")), words[:MAX_SHOWN], number)
