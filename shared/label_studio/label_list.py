"""The labels that a control tag has in one task, as the editor builds them from the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.errors import truncate
from shared.label_studio.attributes import Attributes
from shared.label_studio.label_config import MAX_DEPTH, ChoicePath, Control
from shared.label_studio.task import describe_type
from shared.label_studio.variables import keys_of, resolve_variables

# Faults of the labels of one control tag in one task that are put into words.
MAX_FAULTS = 3
# Characters of a found value that a message quotes.
MAX_QUOTED_CHARACTERS = 40
# Attributes with a fixed type: the editor shows no task where one has another.
ATTRIBUTE_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("value", "alias", "hint", "hotkey", "html"), str),
    "selected": bool,
}
TYPE_NAMES = {str: "a string", bool: "true or false"}


@dataclass
class LabelList:
    """The labels that the editor shows, the paths of nested ones, and what it cannot show."""

    control: Control
    data: Mapping[str, Any]
    labels: dict[str, Attributes] = field(default_factory=dict)
    paths: dict[ChoicePath, Attributes] = field(default_factory=dict)
    fault_texts: list[str] = field(default_factory=list)

    @property
    def faults(self) -> tuple[str, ...]:
        """What the editor cannot show, one sentence each."""
        source = self.control.attrs.get("value") or "its Choice tags"
        return tuple(f"{self.control} ({source}): the task has {what}" for what in self.fault_texts)

    def add_own(self, values: Mapping[str, Any]) -> None:
        """Add the labels in the tag itself; `values` holds what the variables in them are."""
        names: dict[str, str] = {}
        for label, attrs in self.control.labels.items():
            written = attrs.get("value", "")
            value = values.get(written, "")
            if written not in values:
                names[label] = label
                self.labels.setdefault(label, Attributes.from_mapping(attrs))
            elif isinstance(value, str) and value:
                names[label] = attrs.get("alias") or value
                self.labels.setdefault(names[label], Attributes({**attrs, "value": value}))
            else:
                self._add_fault(
                    f"{_describe_value(value)} for its choice {written}, expected a string"
                )
        for path, attrs in self.control.paths.items():
            if all(part in names for part in path):
                value = values.get(attrs.get("value", ""), attrs.get("value", ""))
                self.paths[tuple(names[part] for part in path)] = Attributes(
                    {**attrs, "value": value}
                )

    def add_listed(self, found: Any) -> None:
        """Add the labels that the task lists under the tag's `value`."""
        if isinstance(found, list):
            self._add_items(found, ())
        else:
            expected = 'a list of objects such as [{"value": "A"}]'
            self._add_fault(f"{_describe_value(found)} for its labels, expected {expected}")

    def add_list(self, other: "LabelList") -> None:
        """Add those of another list behind its own; with none of its own it shares the other's."""
        own = self.labels, self.paths
        self.labels = {**own[0], **other.labels, **own[0]} if own[0] else other.labels
        self.paths = {**own[1], **other.paths, **own[1]} if own[1] else other.paths
        self.fault_texts = (self.fault_texts + other.fault_texts)[:MAX_FAULTS]

    @property
    def character_count(self) -> int:
        """The total length of all names and attributes."""
        tags = (*self.labels.values(), *self.paths.values())
        texts = (
            *self.labels,
            *self.fault_texts,
            *(text for attrs in tags for text in attrs.values()),
        )
        return sum(map(len, texts)) + sum(map(len, self.paths))

    def _add_items(self, items: list[Any], above: ChoicePath) -> None:
        seen: set[str] = set()
        for item in items:
            attrs = self._read_attributes(item)
            if attrs is None:
                continue
            value, alias = attrs["value"], attrs.get("alias")
            if self.control.tag == "Taxonomy" and value in seen:
                continue  # the editor takes the first of equal ones
            seen.add(value)
            name = alias or value
            self.labels.setdefault(name, attrs)
            self.paths.setdefault((*above, name), attrs)
            self._add_inside(item.get("children"), (*above, name))

    def _add_inside(self, items: Any, path: ChoicePath) -> None:
        if not isinstance(items, list) or not items:
            return
        if self.control.tag.endswith("Labels"):
            self._add_fault(f'"children" of "{path[-1]}", with which the editor shows no task')
        elif self.control.has_nested_choices and len(path) < MAX_DEPTH:
            self._add_items(items, path)

    def _read_attributes(self, item: Any) -> Attributes | None:
        """Return a label's attributes; None if the editor shows none, or none with a name."""
        wrong = _describe_fault(item)
        value = None if wrong else item.get("value")
        if value and keys_of(value) and self.control.tag == "Choices":
            value = resolve_variables(value, self.data)
        unnamed = not wrong and item.get("alias") == "" and not self.control.tag.endswith("Labels")
        if wrong or unnamed or not isinstance(value, str) or not value:
            self._add_fault(wrong or f"a label without a name ({_short_json(item)})")
            return None
        pairs = (
            (str(key), _attribute_text(part)) for key, part in {**item, "value": value}.items()
        )
        return Attributes((key, text) for key, text in pairs if text is not None)

    def _add_fault(self, what: str) -> None:
        if len(self.fault_texts) < MAX_FAULTS:
            self.fault_texts.append(what)


def _describe_fault(item: Any) -> str | None:
    """Return what is wrong with a listed label by itself, in words."""
    if not isinstance(item, dict):
        what = "shows no task" if item is None else "shows a label without a name"
        write = f', write {{"value": {_short_json(item)}}}' if isinstance(item, str) else ""
        return f"{_describe_value(item)} among its labels, with which the editor {what}{write}"
    for key, kind in ATTRIBUTE_TYPES.items():
        if item.get(key) is not None and not isinstance(item[key], kind):
            what = f'"{key}": {_short_json(item[key])} in a label, expected {TYPE_NAMES[kind]}'
            return f"{what}: the editor shows no task with it"
    return None


def _attribute_text(value: Any) -> str | None:
    """Return a JSON value as an attribute has it; None for what is none."""
    if isinstance(value, list):
        return ",".join(part for part in value if isinstance(part, str))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def _describe_value(value: Any) -> str:
    return f"{describe_type(value)} ({_short_json(value)})" if value is not None else "nothing"


def _short_json(value: Any) -> str:
    """Return a value as JSON, as far as a message quotes it."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        return describe_type(value)
    return truncate(text, MAX_QUOTED_CHARACTERS)
