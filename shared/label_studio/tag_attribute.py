"""Changes an attribute of one control tag in a label config's text, and nothing else of it."""

import re
from collections.abc import Iterator
from html import unescape
from xml.sax.saxutils import quoteattr

from shared.errors import ConfigError
from shared.label_studio.attributes import Attributes

# Comments, CDATA sections, processing instructions, and then tags: `>` may stand inside quotes.
_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?P<tag>[^\s<>/!?=]+)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"(?P<space>\s+)(?P<name>[^\s=\"'/<>]+)\s*=\s*(?P<value>\"[^\"]*\"|'[^']*')"
)


def set_attribute(xml: str, control: str, name: str, value: str) -> str:
    """Return the text with an attribute of the control tag of a name set to a value.

    An attribute that is there keeps its place, spelling and quotes; a new one comes last, on a
    line of its own if the one before it has one. ConfigError without such a control tag.
    """
    for start, attributes in _written_tags(xml):
        found = list(_ATTRIBUTE.finditer(attributes))
        known = Attributes((one["name"], unescape(one["value"][1:-1])) for one in found)
        if known.get("name") == control and known.get("toName"):
            begin, end, text = _find_change(found, name, value)
            return xml[: start + begin] + text + xml[start + end :]
    raise ConfigError(f'The label config has no control tag of the name "{control}"', control)


def _written_tags(xml: str) -> Iterator[tuple[int, str]]:
    """Yield the text of each start tag's attributes, and where it begins.

    A Filter has a name and `toName`, too, but is no control tag.
    """
    for found in _MARKUP.finditer(xml):
        if found["tag"] is not None and found["tag"].lower() != "filter":
            yield found.start("attributes"), found["attributes"]


def _find_change(found: list["re.Match[str]"], name: str, value: str) -> tuple[int, int, str]:
    """Return where a text is to be put, and the text; of two spellings the last counts."""
    same = [one for one in found if one["name"].lower() == name.lower()]
    if same:
        begin, end = same[-1].span("value")
        quote = same[-1]["value"][0]
        inner = quoteattr(value, {'"': "&quot;", "'": "&apos;"})[1:-1]
        return begin, end, f"{quote}{inner}{quote}"
    last = found[-1]
    return last.end(), last.end(), f"{last['space']}{name}={quoteattr(value)}"
