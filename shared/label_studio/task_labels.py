"""The labels that a task brings: `<Labels value="$labels">`, `<Choice value="$first"/>`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from shared.label_studio.javascript import UNDEFINED
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.label_list import LabelList
from shared.label_studio.text_cache import TextCache
from shared.label_studio.variables import keys_of, resolve_variables

# Of the labels, with their label configs, that are kept together.
MAX_CACHED_CHARACTERS = 1_000_000

# What a task has for the attributes of a control tag that have variables in them.
VariableValues = dict[str, Any]

_bound_configs: TextCache[tuple[LabelConfig, bytes], LabelConfig] = TextCache(
    max_characters=MAX_CACHED_CHARACTERS
)


def with_task_labels(config: LabelConfig, data: Mapping[str, Any]) -> LabelConfig:
    """Return the label config with the labels that a task's data brings; itself if none can be.

    Equal labels give the same object, as long as it is kept.
    """
    if not config.dynamic_controls:
        return config
    needed = [_label_variables(control) for control in config.dynamic_controls]
    values: VariableValues = {text: None for texts in needed for text in texts}
    values |= {text: _data_value(text, data) for text in values}
    try:
        packed = orjson.dumps(list(values.values()))
    except TypeError:  # such as an integer of 20 digits
        packed = b"$"
    own = [{text: values[text] for text in texts} for texts in needed]
    if b"$" in packed:  # there may be variables in the labels themselves
        return _complete_config(config, own, data)
    known = _bound_configs.get((config, packed))
    if known is None:
        made = _complete_config(config, own, data)
        known = _bound_configs.put((config, packed), made, len(packed) + made.character_count)
    return known


def _data_value(text: str, data: Mapping[str, Any]) -> Any:
    """Return what a task has for an attribute; None if that is nothing."""
    found = resolve_variables(text, data)
    return None if found is UNDEFINED else found


def _label_variables(control: Control) -> list[str]:
    """Return the attributes that a task decides on: of the tag itself, and of its Choice tags."""
    named = control.labels.values() if control.tag == "Choices" else ()
    texts = [control.attrs.get("value", ""), *(attrs.get("value", "") for attrs in named)]
    return [text for text in texts if keys_of(text)]


def _complete_config(
    config: LabelConfig, values: list[VariableValues], data: Mapping[str, Any]
) -> LabelConfig:
    listed: dict[tuple[str, bool, str], LabelList] = {}
    lists = {
        control.name: _build_list(control, found, data, listed)
        for control, found in zip(config.dynamic_controls, values, strict=True)
    }
    controls = tuple(
        _bind_labels(control, lists[control.name]) if control.name in lists else control
        for control in config.controls
    )
    apart = {id(found.labels): found for found in (*listed.values(), *lists.values())}
    characters = sum(found.character_count for found in apart.values())
    return replace(config, controls=controls, task_character_count=characters)


def _build_list(
    control: Control,
    values: VariableValues,
    data: Mapping[str, Any],
    listed: dict[tuple[str, bool, str], LabelList],
) -> LabelList:
    """Return the labels of a control tag; what the task lists is made once for like tags."""
    found = LabelList(control, data)
    found.add_own(values)
    source = control.attrs.get("value", "")
    if source in values:
        key = control.tag, control.has_nested_choices, source
        if key not in listed:
            listed[key] = LabelList(control, data)
            listed[key].add_listed(values[source])
        found.add_list(listed[key])
    return found


def _bind_labels(control: Control, found: LabelList) -> Control:
    """Return a control tag with the labels of a task beside its own."""
    return replace(
        control,
        labels=found.labels,
        paths=found.paths,
        dynamic=False,
        labels_from_task=True,
        label_faults=found.faults,
    )
