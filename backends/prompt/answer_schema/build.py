"""Builds the schema of an answer: an object with a property for each control tag."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from backends.prompt.answer_schema.boxes import BOX_CONTROLS, describe_boxes
from backends.prompt.answer_schema.fields import describe_value, describe_whole_task
from backends.prompt.answer_schema.keywords import allow_null, closed_object
from backends.prompt.answer_schema.messages import describe_messages
from backends.prompt.answer_schema.spans import SPAN_CONTROLS, describe_relations, describe_spans
from backends.prompt.question import JsonSchema
from shared.backend import Control, LabelConfig, Passages

NO_SOURCES: Mapping[str, Any] = MappingProxyType({})

# Makes the schema of a control tag's value; None if there is nothing to ask. The mapping is what
# the object tags of the task show (`Content.sources`).
FieldBuilder: TypeAlias = Callable[
    [Control, LabelConfig, Mapping[str, Any]], Mapping[str, Any] | None
]


def describe_text_spans(
    control: Control, config: LabelConfig, sources: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the schema of a control tag's spans, with what is said of each."""
    return describe_spans(control, config, partial(_describe_inside, sources))


def describe_picture_boxes(
    control: Control, config: LabelConfig, sources: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the schema of a control tag's boxes, with what is said of each.

    On a PDF with a text layer they are found by what stands in them.
    """
    source = sources.get(control.to_name)
    if isinstance(source, Passages):
        return describe_text_spans(control, config, sources)
    return describe_boxes(control, config, source, partial(_describe_inside, sources))


def describe_chat_messages(
    control: Control, config: LabelConfig, sources: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the schema of the messages that continue a chat, with what is said of each."""
    source = sources.get(control.to_name)
    return describe_messages(control, config, source, partial(_describe_inside, sources))


def _describe_inside(sources: Mapping[str, Any], other: Control) -> Mapping[str, Any] | None:
    """Return the schema of what a control tag says of a single region."""
    schema = describe_value(other, sources)
    if schema is None or (other.get_flag("required") and not other.conditions):
        return schema
    return allow_null(schema)


# By control tag. Those of regions on texts and pictures register theirs here.
FIELDS: Mapping[str, FieldBuilder] = {
    **dict.fromkeys(
        ("Choices", "Taxonomy", "Rating", "Number", "DateTime", "TextArea", "Pairwise", "Ranker"),
        describe_whole_task,
    ),
    **dict.fromkeys(SPAN_CONTROLS, describe_text_spans),
    **dict.fromkeys(BOX_CONTROLS, describe_picture_boxes),
    "Chat": describe_chat_messages,
}


def build_schema(
    controls: Sequence[Control], config: LabelConfig, sources: Mapping[str, Any] = NO_SOURCES
) -> JsonSchema:
    """Return the schema of an answer for control tags.

    Those with `perRegion` are asked for inside of the regions that they describe. It is a schema
    that strict structured outputs take (see `keywords`). `sources` are what the task shows, by the
    object tag's name: the items that a Ranker orders come from there.
    """
    properties = {
        property_name(control, config): field
        for control in controls
        if control.tag in FIELDS and not control.per_region
        if (field := FIELDS[control.tag](control, config, sources)) is not None
    }
    properties |= describe_relations(controls, config)
    return closed_object(properties)


def property_name(control: Control, config: LabelConfig) -> str:
    """Return the name under which an answer holds what is said with a control tag.

    It is the control tag's, with the object tag's if it draws on several of them.
    """
    if control.answers_once or len(control.to_names) == 1:
        return control.name
    return f"{control.name} on {control.to_name}"
