"""The XML of a label config: its object tags, control tags, labels and headers."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shared.errors import ConfigError
from shared.label_studio import variables
from shared.label_studio.attributes import Attributes
from shared.label_studio.control_tag import ChoicePath, Control, takes_labels
from shared.label_studio.object_tag import ObjectTag

# Tags inside tags; real label configs have about ten.
MAX_DEPTH = 100


class WrittenTag(NamedTuple):
    """A tag as it is written in the XML, and the names of the tags around it."""

    name: str
    attrs: Attributes
    ancestors: tuple[str, ...]


def parse_xml(xml: str) -> Element:
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


def walk_tags(element: Element, around: tuple[str, ...]) -> Iterable[WrittenTag]:
    yield WrittenTag(element.tag, attributes_of(element), around)
    if element.tag.lower() != "hypertext":
        for child in element:
            yield from walk_tags(child, (*around, element.tag))


def attributes_of(element: Element) -> Attributes:
    """Return an element's attributes: nothing else in the project reads `attrib`."""
    return Attributes(element.attrib)


def _check_depth(root: Element) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return
    raise ConfigError(f"The label config has tags nested more than {MAX_DEPTH} deep")


def read_objects(root: Element) -> Iterable[ObjectTag]:
    for element in root.iter():
        attrs = attributes_of(element)
        tag = ObjectTag(element.tag, attrs.get("name", ""), None, attrs)
        if "name" in attrs and tag.value and "toName" not in attrs:
            yield replace(tag, key=variables.key_of(tag.value))


def read_controls(root: Element, objects: Mapping[str, ObjectTag]) -> Iterable[Control]:
    repeated = {inside for repeater in root.iter("Repeater") for inside in repeater.iter()}
    headers = _read_headers(root)
    for element in root.iter():
        attrs = attributes_of(element)
        if not attrs.get("name") or not attrs.get("toName") or element.tag == "Filter":
            continue
        names = [name.strip() for name in attrs["toName"].split(",")]
        to_name = next((name for name in names if name in objects), names[0])
        labels = dict(_read_labels(element))
        paths = dict(_read_choice_paths(element))
        buckets = tuple(attributes_of(bucket).get("name", "") for bucket in element.iter("Bucket"))
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


def _read_headers(root: Element) -> dict[Element, str]:
    """Return the text of the Header right before each named tag."""
    found: dict[Element, str] = {}
    header = ""
    for element in root.iter():
        attrs = attributes_of(element)
        if element.tag == "Header":
            header = attrs.get("value") or (element.text or "").strip()
        elif "name" in attrs:
            found[element], header = header, ""
    return found


def _read_labels(control: Element) -> Iterable[tuple[str, Attributes]]:
    for element in control.iter():
        if element.tag in {"Label", "Choice"}:
            attrs = attributes_of(element)
            value = attrs.get("alias") or attrs.get("value")
            if value:
                yield value, attrs


def _read_choice_paths(
    element: Element, above: ChoicePath = ()
) -> Iterable[tuple[ChoicePath, Attributes]]:
    for child in element:
        attrs = attributes_of(child)
        name = attrs.get("alias") or attrs.get("value")
        inside = (*above, name) if child.tag == "Choice" and name else above
        if inside != above:
            yield inside, attrs
        yield from _read_choice_paths(child, inside)
