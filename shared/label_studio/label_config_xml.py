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
from shared.label_studio.control_tag import ChoicePath, Condition, Control, takes_labels
from shared.label_studio.object_tag import ObjectTag
from shared.label_studio.official_examples.attributes import with_our_names
from shared.label_studio.tags import SELF_REFERENCING_TAGS

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
        shows = "toName" not in attrs or element.tag in SELF_REFERENCING_TAGS
        if "name" in attrs and tag.value and shows:
            yield replace(tag, key=variables.key_of(tag.value))


def read_controls(root: Element, objects: Mapping[str, ObjectTag]) -> Iterable[Control]:
    repeated = {inside for repeater in root.iter("Repeater") for inside in repeater.iter()}
    headers = _read_headers(root)
    conditions = dict(_read_conditions(root, ()))
    for element in root.iter():
        attrs = with_our_names(attributes_of(element))
        if not attrs.get("name") or not attrs.get("toName") or element.tag == "Filter":
            continue
        names = [name.strip() for name in attrs["toName"].split(",")]
        to_name = next((name for name in names if name in objects), names[0])
        labels = dict(_read_labels(element))
        paths = dict(_read_choice_paths(element))
        buckets = [attributes_of(bucket) for bucket in element.iter("Bucket")]
        yield Control(
            element.tag,
            attrs["name"],
            to_name,
            labels,
            attrs,
            _is_dynamic(element.tag, attrs, labels),
            paths,
            tuple(bucket.get("name", "") for bucket in buckets),
            repeated=element in repeated,
            to_names=tuple(dict.fromkeys(names)),
            header=headers.get(element, ""),
            conditions=conditions.get(element, ()),
            default_bucket=next(
                (bucket.get("name", "") for bucket in buckets if bucket.get("default") == "true"),
                "",
            ),
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
    """Return the text of the Header right before each named tag, or of the one in a control tag."""
    found: dict[Element, str] = {}
    header = ""
    holder = {
        inside: element
        for element in root.iter()
        if "toName" in attributes_of(element)
        for inside in element.iter("Header")
    }
    for element in root.iter():
        attrs = attributes_of(element)
        if element.tag == "Header":
            text = attrs.get("value") or (element.text or "").strip()
            if element in holder:
                found[holder[element]] = found.get(holder[element]) or text
            else:
                header = text
        elif "name" in attrs:
            found[element], header = header, ""
    return found


def _read_conditions(
    element: Element, around: tuple[Condition, ...]
) -> Iterable[tuple[Element, tuple[Condition, ...]]]:
    """Yield each tag below one with its conditions and those of the tags around it."""
    attrs = attributes_of(element)
    own = _read_condition(attrs)
    all_of_them = (*around, own) if own else around
    if all_of_them:
        yield element, all_of_them
    for child in element:
        yield from _read_conditions(child, all_of_them)


def _read_condition(attrs: Attributes) -> Condition | None:
    """Return when the editor shows a tag; None if always.

    Without `visibleWhen` it shows a tag with `whenChoiceValue` where that is chosen, and one with
    `perRegion` at the regions that `whenTagName` and `whenLabelValue` name (its mixins
    Visibility and PerRegion).
    """
    choices, labels = attrs.get("whenChoiceValue"), attrs.get("whenLabelValue")
    when = attrs.get("visibleWhen", "")
    if not when and choices:
        when = "choice-selected"
    elif not when and attrs.get("perRegion") == "true":
        when = "region-selected" if labels or attrs.get("whenTagName") else ""
    if not when:
        return None
    return Condition(
        when,
        attrs.get("whenTagName", ""),
        tuple(choices.split(",")) if choices else (),
        tuple(labels.split(",")) if labels else (),
        tuple(filter(None, attrs.get("whenRole", "").split(","))),
    )


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
