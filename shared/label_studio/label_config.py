"""The typed view of a project's label config: control tags, object tags, labels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from shared.errors import ConfigError
from shared.label_studio.control_tag import ChoicePath, Control
from shared.label_studio.label_config_xml import (
    MAX_DEPTH,
    WrittenTag,
    attributes_of,
    parse_xml,
    read_controls,
    read_objects,
    walk_tags,
)
from shared.label_studio.object_tag import ObjectTag
from shared.label_studio.tags import canonical_name
from shared.label_studio.text_cache import TextCache

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")

# A label config longer than this is refused; the largest real ones hold some thousand labels.
MAX_CHARACTERS = 2_000_000

__all__ = ["MAX_DEPTH", "ChoicePath", "Control", "LabelConfig", "ObjectTag", "WrittenTag"]


@dataclass(frozen=True, eq=False)
class LabelConfig:
    """All control tags and object tags of one label config, in the order of the XML."""

    controls: tuple[Control, ...]
    objects: Mapping[str, ObjectTag]
    xml: str = ""
    relation_labels: tuple[str, ...] = ()
    task_character_count: int = 0
    """Characters of the labels that a task has added."""

    @property
    def character_count(self) -> int:
        """The length of its XML and its task's labels, by which caches limit their size."""
        return len(self.xml) + self.task_character_count

    @cached_property
    def dynamic_controls(self) -> tuple[Control, ...]:
        """The control tags whose labels come from the task's data (not from an address)."""
        return tuple(c for c in self.controls if c.dynamic and not c.repeated and not c.is_remote)

    @classmethod
    def parse(cls, xml: str) -> "LabelConfig":
        """Read the XML; ConfigError if it cannot be. Equal texts give the same object."""
        if not isinstance(xml, str) or not xml.strip():
            raise ConfigError("The label config is empty; expected XML such as <View>…</View>")
        if len(xml) > MAX_CHARACTERS:
            raise ConfigError(
                f"The label config has {len(xml)} characters; {MAX_CHARACTERS} are allowed"
            )
        plain = _DECLARATION.sub("", xml.lstrip("\ufeff")).strip()
        return _config_cache.get(plain) or _config_cache.put(
            plain, _parse_config(plain), len(plain)
        )

    @classmethod
    def from_parsed(cls, parsed: Mapping[str, Any], xml: str) -> "LabelConfig":
        """Read the XML, with only the control tags of label-studio-ml's `parsed_label_config`."""
        whole = cls.parse(xml)
        kept = tuple(control for control in whole.controls if control.name in parsed)
        return whole if len(kept) == len(whole.controls) else replace(whole, controls=kept)

    def written_tags(self) -> Iterable[WrittenTag]:
        """Yield all tags as they are written, except the document inside a HyperText."""
        if self.xml:
            yield from walk_tags(parse_xml(self.xml), ())

    def find_control(self, name: str, to_name: str = "") -> Control | None:
        """Return the control tag of that name, as it is on `to_name` or on its first object tag."""
        found = next((control for control in self.controls if control.name == name), None)
        return found.on_object(to_name) if found else None

    def object_of(self, control: Control) -> ObjectTag | None:
        """Return the object tag that a control tag annotates."""
        return self.objects.get(control.to_name)

    def controls_on(self, to_name: str) -> list[Control]:
        """Return the control tags on an object tag."""
        return [
            control.on_object(to_name) for control in self.controls if to_name in control.to_names
        ]

    def tag_pairs(self) -> Iterable[tuple[Control, ObjectTag]]:
        """Yield each control tag with each of its object tags; those without one are skipped.

        Pairwise, which compares its object tags, comes once, with the first of them.
        """
        for control in self.controls:
            names = (control.to_name,) if control.tag == "Pairwise" else control.to_names
            for name in names:
                if name in self.objects:
                    yield control.on_object(name), self.objects[name]

    def describe_controls(self) -> str:
        """Describe the control tags in a few words, for messages."""
        if not self.controls:
            return "no control tags"
        seen = (
            f"{control} on {' and '.join(map(self._object_tag_name, control.to_names))}"
            + (" inside <Repeater>" if control.repeated else "")
            for control in self.controls
        )
        return ", ".join(seen)

    def _object_tag_name(self, name: str) -> str:
        return self.objects[name].tag if name in self.objects else name


_config_cache: TextCache[str, LabelConfig] = TextCache()


def _parse_config(xml: str) -> LabelConfig:
    root = parse_xml(xml)
    for element in root.iter():
        element.tag = canonical_name(element.tag)
    objects = {tag.name: tag for tag in read_objects(root)}
    relations = (attributes_of(element).get("value") for element in root.iter("Relation"))
    return LabelConfig(
        tuple(read_controls(root, objects)), objects, xml, tuple(filter(None, relations))
    )
