"""The schema of spans: what a model quotes of a text, with a label, and what it says of each."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from backends.prompt.answer_schema.keywords import Schema, closed_object, list_of, one_of
from shared.backend import Control, LabelConfig

# The tags that draw spans of a text, with the object tags on which the editor shows them.
SPAN_TAGS = frozenset(
    (
        ("Labels", "Text"),
        ("Labels", "HyperText"),
        ("Labels", "Paragraphs"),
        ("HyperTextLabels", "HyperText"),
        ("ParagraphLabels", "Paragraphs"),
        ("OcrLabels", "Pdf"),
    )
)
SPAN_CONTROLS = frozenset(tag for tag, _ in SPAN_TAGS)
# The keys of an item.
ID, QUOTE, OCCURRENCE, LABEL, LABELS, VALUES = (
    "id", "quote", "occurrence", "label", "labels", "values",
)  # fmt: skip


def draws_spans(control: Control, config: LabelConfig) -> bool:
    """Return whether a control tag draws spans of a text, with labels."""
    target = config.objects.get(control.to_name)
    drawn = target is not None and (control.tag, target.tag) in SPAN_TAGS
    return drawn and control.has_labels


def describe_spans(
    control: Control, config: LabelConfig, describe: Callable[[Control], Schema | None]
) -> Schema | None:
    """Return the schema of a control tag's spans: a list of quotes; None if it has no labels.

    `describe` makes the schema of a control tag's value: of those that describe single regions.
    Items have an id where the label config has relations, which name them by it.
    """
    if not control.labels or not draws_spans(control, config):
        return None
    properties = dict(describe_quotes(control, list(label_names(control)))["properties"])
    if asks_relations(config):
        properties = {
            ID: {"type": "integer", "description": "Another number for each"},
            **properties,
        }
    values = {
        other.name: schema
        for other in per_region_controls(control, config)
        if (schema := describe(other)) is not None
    }
    if values:
        properties[VALUES] = closed_object(values)
    return list_of(closed_object(properties))


def describe_quotes(control: Control, names: Sequence[str]) -> Schema:
    """Return the schema of a quote with its label, one of `names`: what an item has at least."""
    quote = f'A part of "{control.to_name}", copied letter by letter'
    occurrence = (
        "Which one is meant where the text has this quote several times, counted from 1;"
        " otherwise 1"
    )
    properties = {
        QUOTE: {"type": "string", "description": quote},
        OCCURRENCE: {"type": "integer", "minimum": 1, "description": occurrence},
        **describe_labels(control, names),
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key != OCCURRENCE],
    }


def describe_labels(control: Control, names: Sequence[str]) -> Mapping[str, Schema]:
    """Return the property of a region's label, one of `names`, or of its labels."""
    one = one_of(names)
    hints = _join_hints(control)
    if hints and not control.labels_from_task:  # a schema is no place for what a task says
        one["description"] = hints
    if allows_several_labels(control):
        return {LABELS: {**list_of(one), "minItems": 1}}
    return {LABEL: one}


@lru_cache(maxsize=128)  # asked for with each item of an answer
def _join_hints(control: Control) -> str:
    return "; ".join(
        f"{name}: {hint}"
        for name, label in label_names(control).items()
        if (hint := control.labels[label].get("hint", "").strip())
    )


def allows_several_labels(control: Control) -> bool:
    """Return whether a region may have more than one of a tag's labels."""
    return control.attrs.get("choice") == "multiple"


@lru_cache(maxsize=128)
def label_names(control: Control) -> Mapping[str, str]:
    """Return the labels by the names that annotators see; a name that two have is the alias."""
    shown: dict[str, str] = {}
    for label, attrs in control.labels.items():
        name = attrs.get("value") or label
        shown[label if name in shown else name] = label
    return shown


def find_label(control: Control, name: str) -> str | None:
    """Return the label, as it stands in results, that a model means by a name.

    The name, the alias, or either in another case; None if that is no label or several.
    """
    names = label_names(control)
    if name in names or name in control.labels:
        return names.get(name, name)
    folded = name.strip().casefold()
    meant = {
        label
        for shown, label in names.items()
        if folded in {shown.strip().casefold(), label.strip().casefold()}
    }
    return meant.pop() if len(meant) == 1 else None


# Control tags that describe single regions


def per_region_controls(control: Control, config: LabelConfig) -> Sequence[Control]:
    """Return the control tags that describe the regions which another one draws."""
    return [
        other
        for other in config.controls_on(control.to_name)
        if other.per_region
        and not other.tag.endswith("Labels")
        and not other.get_flag("model_skip")
        and other.attrs.get("model_backend", "").strip() in {"", "prompt"}
        and _describes(other, control)
    ]


def _describes(other: Control, control: Control) -> bool:
    """Return whether a control tag may be shown for the regions of another (`whenTagName`)."""
    return all(
        condition.when != "region-selected" or condition.tag_name in {"", control.name}
        for condition in other.conditions
    )


# Relations


def asks_relations(config: LabelConfig) -> bool:
    """Return whether a label config names relations, and has regions that prompt can relate."""
    return bool(config.relation_labels)


def relations_name(config: LabelConfig) -> str:
    """Return the property of the relations; there is no control tag whose name it could have."""
    name = "relations"
    while any(control.name == name for control in config.controls):
        name += "_"
    return name


def describe_relations(controls: Sequence[Control], config: LabelConfig) -> Mapping[str, Schema]:
    """Return the property of the relations between spans; none if nothing relates."""
    if not asks_relations(config) or not any(draws_spans(c, config) for c in controls):
        return {}
    return {relations_name(config): list_of(describe_relation(config))}


def describe_relation(config: LabelConfig) -> Schema:
    """Return the schema of a relation: its ends by the ids of quotes, and its label."""
    return closed_object(
        {
            "from": {"type": "integer", "description": "The id of the quote that it goes out from"},
            "to": {"type": "integer", "description": "The id of the quote that it goes to"},
            LABEL: one_of(list(dict.fromkeys(config.relation_labels))),
        }
    )
