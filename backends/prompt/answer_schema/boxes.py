"""The schema of boxes on pictures: what vision models write, with a label, and what they say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.prompt.answer_schema.keywords import Schema, closed_object, list_of
from backends.prompt.answer_schema.spans import (
    VALUES,
    describe_labels,
    label_names,
    per_region_controls,
)
from backends.prompt.box_formats import describe_box
from backends.prompt.content.pictures import SentPictures
from shared.backend import Control, LabelConfig

# The tags that draw boxes, with the object tags on which they do.
BOX_TAGS = frozenset((("RectangleLabels", "Image"), ("OcrLabels", "Pdf")))
BOX_CONTROLS = frozenset(tag for tag, _ in BOX_TAGS)
# The keys of an item.
PICTURE, BOX, TEXT = "picture", "box", "text"


def draws_boxes(control: Control, config: LabelConfig) -> bool:
    """Return whether a control tag draws boxes on pictures, with labels."""
    target = config.objects.get(control.to_name)
    drawn = target is not None and (control.tag, target.tag) in BOX_TAGS
    return drawn and control.has_labels


def describe_boxes(
    control: Control,
    config: LabelConfig,
    source: Any,
    describe: Callable[[Control], Schema | None],
) -> Schema | None:
    """Return the schema of a control tag's boxes; None if no format is set, or no picture read.

    `source` is what its object tag shows; `describe` makes the schema of what is said of a box by
    control tags that describe single regions.
    """
    if not isinstance(source, SentPictures) or source.box_format is None or not control.labels:
        return None
    properties: dict[str, Schema] = {
        **_describe_picture(source.pictures),
        BOX: describe_box(source.box_format),
        **describe_labels(control, list(label_names(control))),
    }
    if control.tag == "OcrLabels":
        properties[TEXT] = {"type": "string", "description": "What is written in the box"}
    values = {
        other.name: schema
        for other in per_region_controls(control, config)
        if (schema := describe(other)) is not None
    }
    if values:
        properties[VALUES] = closed_object(values)
    return list_of(closed_object(properties))


def _describe_picture(pictures: Sequence[Any]) -> Mapping[str, Schema]:
    """Return the property that names one of several pictures."""
    if len(pictures) < 2:
        return {}
    number = {"type": "integer", "minimum": 1, "maximum": len(pictures)}
    return {PICTURE: {**number, "description": "On which picture, counted from 1"}}
