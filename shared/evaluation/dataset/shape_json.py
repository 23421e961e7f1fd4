"""Shapes as JSON, in the units of models, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.results import (
    AudioSpan,
    Bitmask,
    Brush,
    ChatMessage,
    Dialogue,
    Ellipse,
    HyperTextSpan,
    KeyPoint,
    PageBox,
    ParagraphSpan,
    Polygon,
    Rectangle,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
    Vector,
    VideoBox,
    VideoTrack,
)

ShapeJson = dict[str, Any]

# The names of shapes whose fields are numbers, texts and lists.
PLAIN_SHAPES: Mapping[type, str] = {
    Rectangle: "rectangle",
    Ellipse: "ellipse",
    KeyPoint: "keypoint",
    Polygon: "polygon",
    Vector: "vector",
    TextSpan: "span",
    HyperTextSpan: "span",
    AudioSpan: "audio_span",
    TimeSeriesSpan: "time_span",
    TimelineSpan: "frames",
    PageBox: "page_box",
    ChatMessage: "message",
}
READABLE: Mapping[str, Any] = {
    "rectangle": Rectangle,
    "ellipse": Ellipse,
    "keypoint": KeyPoint,
    "polygon": Polygon,
}


def shape_to_json(shape: Any, source: Any = None) -> ShapeJson:
    """Return a shape as JSON; `source` is the Dialogue of a ParagraphSpan.

    Masks become COCO's run lengths (`size` is height and width, `counts` run down the columns and
    begin with those outside), spans of dialogues offsets in the paragraphs joined by line breaks.
    """
    if isinstance(shape, Brush | Bitmask):
        height, width = np.atleast_2d(shape.mask).shape
        return {"type": "mask", "size": [height, width], "counts": encode_runs(shape.mask)}
    if isinstance(shape, VideoTrack):
        return {"type": "track", "boxes": [_key_frame(box) for box in shape.boxes]}
    if isinstance(shape, ParagraphSpan):
        return _span_in_dialogue(shape, source)
    if isinstance(shape, Vector):
        curves = {str(place): points for place, points in (shape.curves or {}).items()}
        return {
            "type": "vector",
            "points": shape.points,
            "closed": shape.closed,
            "curves": curves,
            "links": shape.links,
        }
    values = {field.name: getattr(shape, field.name) for field in fields(shape)}
    return {"type": PLAIN_SHAPES[type(shape)], **values}


def shape_from_json(written: Mapping[str, Any]) -> Any:
    """Return a shape on a picture or video."""
    kind = written["type"]
    values = {key: value for key, value in written.items() if key != "type"}
    if kind == "mask":
        return Brush(decode_runs(values["counts"], *values["size"]))
    if kind == "track":
        return VideoTrack([_read_key_frame(one) for one in values["boxes"]])
    if kind == "vector":
        curves = {int(place): points for place, points in values["curves"].items()}
        return Vector(values["points"], values["closed"], curves, values["links"])
    return READABLE[kind](**values)


def encode_runs(mask: NDArray[Any]) -> list[int]:
    """Return COCO's run lengths of a mask of shape (height, width): column by column."""
    inside = (np.atleast_2d(mask) != 0).ravel(order="F")
    if not inside.size:
        return []
    changes = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    counts: list[int] = np.diff(changes, prepend=0, append=inside.size).tolist()
    return [0, *counts] if inside[0] else counts


def decode_runs(counts: list[int], height: int, width: int) -> NDArray[np.uint8]:
    """Return the mask of shape (height, width), 0 or 1, of COCO's run lengths."""
    inside = np.arange(len(counts)) % 2
    flat = np.repeat(inside, counts).astype(np.uint8)
    return flat.reshape((height, width), order="F")


def _key_frame(box: VideoBox) -> dict[str, Any]:
    place = {field.name: getattr(box.box, field.name) for field in fields(box.box)}
    return {"frame": box.frame, "enabled": box.enabled, **place}


def _read_key_frame(written: Mapping[str, Any]) -> VideoBox:
    keys = ("x", "y", "width", "height", "rotation")
    box = Rectangle(*(written[key] for key in keys))
    return VideoBox(written["frame"], box, written["enabled"])


def _span_in_dialogue(span: ParagraphSpan, dialogue: Dialogue) -> ShapeJson:
    last = span.paragraph if span.last is None else span.last
    start = sum(len(text) + 1 for text in dialogue.texts[: span.paragraph]) + span.start
    end = sum(len(text) + 1 for text in dialogue.texts[:last]) + span.end
    return {"type": "span", "start": start, "end": end}
