"""The typed view of a project's label config: control tags, object tags, labels."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shared.errors import ConfigError
from shared.label_studio import variables
from shared.label_studio.attributes import Attributes
from shared.label_studio.tags import canonical_name
from shared.label_studio.text_cache import TextCache

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")

# A label config longer than this is refused; the largest real ones hold some thousand labels.
MAX_CHARACTERS = 2_000_000
# Tags inside tags; real label configs have about ten.
MAX_DEPTH = 100

# Control tags that describe the whole task, unless they are `perRegion`.
WHOLE_TASK_TAGS = frozenset(
    ("Choices", "Taxonomy", "TextArea", "Rating", "Number", "DateTime", "Pairwise", "Ranker")
)

# The names on the way to a nested choice, from the outermost to its own.
ChoicePath = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ObjectTag:
    """An object tag, which shows what is annotated: `<Image name="image" value="$photo"/>`.

    `key` is the key of the task's data (`photo`), `None` when the tag's value is not one variable
    alone: a fixed text, or several of them joined (`$first: $second`).
    """

    tag: str
    name: str
    key: str | None
    attrs: Mapping[str, str] = field(default_factory=Attributes)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", Attributes.from_mapping(self.attrs))

    def __str__(self) -> str:
        return f'{self.tag} "{self.name}"'

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of media (`valueList`)."""
        return "valueList" in self.attrs

    @property
    def value_is_url(self) -> bool:
        """Whether the task holds an address instead of the text itself (`valueType="url"`)."""
        return self.attrs.get("valueType") == "url"

    @property
    def is_inline(self) -> bool:
        """Whether a HyperText is shown in the editor's own page, not in a frame."""
        return self.attrs.get("inline") == "true"

    @property
    def value(self) -> str:
        """The value as it is written: `$photo`. For images, `valueList` comes before `value`."""
        names = ("valueList", "value") if self.tag == "Image" else ("value", "valueList")
        written = next((self.attrs[name] for name in names if self.attrs.get(name)), None)
        return written if written is not None else f"${self.key}" if self.key is not None else ""

    @property
    def shown_value(self) -> str:
        """What the tag shows, for messages: the key, or the value if that is more than a key."""
        return f'"{self.key}"' if self.key is not None else f'value="{self.value}"'


@dataclass(frozen=True, eq=False)
class Control:
    """A control tag, which annotates an object tag: `<RectangleLabels name="a" toName="image">`.

    - `labels`: the attributes of each label's tag, by the name that stands in results (its alias,
      or else its value)
    - `dynamic`: whether a task brings further labels; `labels_from_task`: whether they have been
      added (`with_task_labels`), and `label_faults`: those that the editor cannot show
    - `paths`: the attributes of each nested choice, by the names on the way to it
    - `buckets`: the names of a Ranker's buckets
    - `repeated`: whether it stands in a Repeater, of which the editor shows one for each list item
    - `header`: the text of the Header before it, if no other named tag stands between
    """

    tag: str
    name: str
    to_name: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    attrs: Mapping[str, str] = field(default_factory=Attributes)
    dynamic: bool = False
    paths: Mapping[ChoicePath, Mapping[str, str]] = field(default_factory=dict)
    buckets: tuple[str, ...] = ()
    repeated: bool = False
    labels_from_task: bool = False
    label_faults: tuple[str, ...] = ()
    to_names: tuple[str, ...] = ()
    """The names of all object tags that it is on (`toName="a,b"`); `to_name` is the one meant."""
    header: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "to_names", self.to_names or (self.to_name,))
        if (
            not self.labels_from_task
        ):  # those of a task are shared by all control tags that list them
            labels = {label: Attributes.from_mapping(attrs) for label, attrs in self.labels.items()}
            object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "attrs", Attributes.from_mapping(self.attrs))

    @cached_property
    def type(self) -> str:
        """The `type` of its results: `rectanglelabels`."""
        return self.tag.lower()

    @cached_property
    def choice_paths(self) -> Mapping[str, ChoicePath]:
        """The path to each nested choice, by its name, or by "A/B" where names are ambiguous."""
        alike = Counter(path[-1] for path in self.paths)
        return {path[-1] if alike[path[-1]] == 1 else "/".join(path): path for path in self.paths}

    def on_object(self, to_name: str) -> "Control":
        """Return the same control tag as it is on another of its object tags."""
        if to_name == self.to_name or to_name not in self.to_names:
            return self
        known = self._on_other_objects.get(to_name)
        return known or self._on_other_objects.setdefault(to_name, replace(self, to_name=to_name))

    @cached_property
    def _on_other_objects(self) -> "dict[str, Control]":
        return {}

    @property
    def answers_once(self) -> bool:
        """Whether the editor takes a single value of it, however many object tags it is on."""
        return self.tag in WHOLE_TASK_TAGS and not self.per_region

    @property
    def has_labels(self) -> bool:
        """Whether it has labels, including those that a task will bring."""
        return bool(self.labels) or self.dynamic or self.labels_from_task

    @property
    def per_region(self) -> bool:
        """Whether it describes single regions rather than the whole task."""
        return self.get_flag("perRegion")

    @property
    def has_nested_choices(self) -> bool:
        """Whether its choices are nested, so that each value is a path."""
        return self.tag == "Taxonomy" or (self.tag == "Choices" and self.get_flag("allowNested"))

    @property
    def is_remote(self) -> bool:
        """Whether the editor fetches its choices from an address (`apiUrl`)."""
        return bool(self.attrs.get("apiUrl"))

    def get_flag(self, key: str, default: bool = False) -> bool:
        """Return an attribute as a boolean."""
        text = self.attrs.get(key)
        return default if text is None else text.strip().lower() in {"true", "1", "yes"}

    def get_number(self, key: str, default: float, low: float, high: float) -> float:
        """Return an attribute as a number; ConfigError if it is not one from `low` to `high`."""
        text = self.attrs.get(key)
        if text is None or not text.strip():
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigError(
                f'{self.tag} "{self.name}": {key}="{text}" should be a number'
                f" from {low:g} to {high:g}",
                self.name,
            )
        return value

    def __str__(self) -> str:
        return f'{self.tag} "{self.name}"'


class WrittenTag(NamedTuple):
    """A tag as it is written in the XML, and the names of the tags around it."""

    name: str
    attrs: Attributes
    ancestors: tuple[str, ...]


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
            yield from _walk_tags(_parse_xml(self.xml), ())

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
    root = _parse_xml(xml)
    for element in root.iter():
        element.tag = canonical_name(element.tag)
    objects = {tag.name: tag for tag in _read_objects(root)}
    relations = (_attributes_of(element).get("value") for element in root.iter("Relation"))
    return LabelConfig(
        tuple(_read_controls(root, objects)), objects, xml, tuple(filter(None, relations))
    )


def _parse_xml(xml: str) -> Element:
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except ParseError as error:
        raise ConfigError(f"The label config is not well-formed XML: {error}") from None
    except DefusedXmlException:
        raise ConfigError("The label config has a DTD or entities; neither is allowed") from None
    except (ValueError, LookupError) as error:
        raise ConfigError(f"The label config cannot be read: {error}") from None
    _check_depth(root)
    return root


def _walk_tags(element: Element, around: tuple[str, ...]) -> Iterable[WrittenTag]:
    yield WrittenTag(element.tag, _attributes_of(element), around)
    if element.tag.lower() != "hypertext":
        for child in element:
            yield from _walk_tags(child, (*around, element.tag))


def _attributes_of(element: Element) -> Attributes:
    """Return an element's attributes: nothing else in the project reads `attrib`."""
    return Attributes(element.attrib)


def _check_depth(root: Element) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return
    raise ConfigError(f"The label config has tags nested more than {MAX_DEPTH} deep")


def _read_objects(root: Element) -> Iterable[ObjectTag]:
    for element in root.iter():
        attrs = _attributes_of(element)
        tag = ObjectTag(element.tag, attrs.get("name", ""), None, attrs)
        if "name" in attrs and tag.value and "toName" not in attrs:
            yield replace(tag, key=variables.key_of(tag.value))


def _read_controls(root: Element, objects: Mapping[str, ObjectTag]) -> Iterable[Control]:
    repeated = {inside for repeater in root.iter("Repeater") for inside in repeater.iter()}
    headers = _read_headers(root)
    for element in root.iter():
        attrs = _attributes_of(element)
        if not attrs.get("name") or not attrs.get("toName") or element.tag == "Filter":
            continue
        names = [name.strip() for name in attrs["toName"].split(",")]
        to_name = next((name for name in names if name in objects), names[0])
        labels = dict(_read_labels(element))
        paths = dict(_read_choice_paths(element))
        buckets = tuple(_attributes_of(bucket).get("name", "") for bucket in element.iter("Bucket"))
        yield Control(
            element.tag,
            attrs["name"],
            to_name,
            labels,
            attrs,
            _is_dynamic(element.tag, attrs, labels),
            paths,
            buckets,
            repeated=element in repeated,
            to_names=tuple(dict.fromkeys(names)),
            header=headers.get(element, ""),
        )


def _is_dynamic(tag: str, attrs: Attributes, labels: Mapping[str, Attributes]) -> bool:
    """Return whether a task brings labels of a control tag.

    Of a Taxonomy with Choice tags inside the editor shows those alone.
    """
    if attrs.get("apiUrl"):
        return True
    if tag == "Taxonomy" and labels:
        return False
    named = labels.values() if tag == "Choices" else ()
    tags = (attrs, *named) if takes_labels(tag) else named
    return any(variables.keys_of(each.get("value", "")) for each in tags)


def takes_labels(tag: str) -> bool:
    """Return whether a control tag of this name has labels or choices."""
    return tag.endswith("Labels") or tag in {"Choices", "Taxonomy"}


def _read_headers(root: Element) -> dict[Element, str]:
    """Return the text of the Header right before each named tag."""
    found: dict[Element, str] = {}
    header = ""
    for element in root.iter():
        attrs = _attributes_of(element)
        if element.tag == "Header":
            header = attrs.get("value") or (element.text or "").strip()
        elif "name" in attrs:
            found[element], header = header, ""
    return found


def _read_labels(control: Element) -> Iterable[tuple[str, Attributes]]:
    for element in control.iter():
        if element.tag in {"Label", "Choice"}:
            attrs = _attributes_of(element)
            value = attrs.get("alias") or attrs.get("value")
            if value:
                yield value, attrs


def _read_choice_paths(
    element: Element, above: ChoicePath = ()
) -> Iterable[tuple[ChoicePath, Attributes]]:
    for child in element:
        attrs = _attributes_of(child)
        name = attrs.get("alias") or attrs.get("value")
        inside = (*above, name) if child.tag == "Choice" and name else above
        if inside != above:
            yield inside, attrs
        yield from _read_choice_paths(child, inside)
