"""Regions on HTML: spans of characters, written as XPaths into the document's body."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from shared.results.utf16 import points, units

Value = tuple[dict[str, Any], dict[str, Any]]

REMOVED = re.compile(
    r"<!--.*?(?:-->|\Z)|<![^>]*>|<(script|iframe)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
"""What the editor takes out before it shows a document (its utils/html.js, sanitizeHtml)."""
LINE_END = re.compile("&#(?:0*(10|13)(?![0-9])|x0*([ad])(?![0-9a-f]));?", re.IGNORECASE)
"""Line ends by number: the editor writes them out, and its browser reads them like any other."""

STANDARDS = "<!DOCTYPE html>"
"""In an iframe's `srcdoc` a page is in standards mode without it, too: a table ends a paragraph."""


class Node(NamedTuple):
    """A text node: its XPath from the body on, and its text's place in the document's text."""

    path: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Document:
    """An HTML document as the editor's browser builds it (its DOM, by the HTML standard).

    `text` is what a model reads: all text nodes of the body, a line break for each `<br>`.
    Offsets in it are in code points; they are the editor's `globalOffsets`.
    """

    text: str
    nodes: tuple[Node, ...]
    elements: Mapping[str, int]
    """Where each element starts in `text`, by its XPath."""

    @classmethod
    def parse(cls, html: str, inline: bool = False) -> "Document":
        """Read HTML, or a part of it. Equal texts give the same object.

        `inline`: as a HyperText with `inline="true"` shows it, in Label Studio's own page, where
        the head's elements stand before the body's.
        """
        return _parse(html, inline)

    @cached_property
    def _by_path(self) -> dict[str, Node]:
        return {node.path: node for node in self.nodes}

    @cached_property
    def _starts(self) -> list[int]:
        return [node.start for node in self.nodes]

    @cached_property
    def _ends(self) -> list[int]:
        return [node.end for node in self.nodes]

    def trimmed(self, start: int, end: int) -> tuple[int, int]:
        """A span that starts and ends in a text node: without line breaks of `<br>` around it."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end) - 1
        if first >= len(self.nodes) or last < 0:
            return start, end
        return max(start, self.nodes[first].start), min(end, self.nodes[last].end)

    def place(self, offset: int, at_end: bool) -> tuple[str, int]:
        """The XPath of an offset's text node, and the UTF-16 code units before it in there.

        Between two nodes a span's start belongs to the second one, its end to the first.
        """
        at = bisect_left(self._ends, offset) if at_end else bisect_right(self._ends, offset)
        if at >= len(self.nodes) or not self.nodes[at].start <= offset <= self.nodes[at].end:
            return "", 0
        node = self.nodes[at]
        return node.path, units(self.text[node.start : offset])

    def node(self, path: str) -> Node | None:
        """The text that the editor takes an XPath for: of an element the one at its start."""
        start = 0 if path == "/" else self.elements.get(path)
        if start is None:
            return self._by_path.get(path)
        at = bisect_right(self._ends, start)
        return self.nodes[at] if at < len(self.nodes) and self.nodes[at].start <= start else None

    def in_one_node(self, start: int, end: int) -> bool:
        """Whether a span lies in a single text node."""
        return bisect_right(self._ends, start) == bisect_left(self._ends, end)

    def offset(self, path: str, unit: int) -> int | None:
        """The offset in `text` of UTF-16 code units in a node; None if there is no such node."""
        node = self.node(path)
        if node is None:
            return None
        return node.start + points(self.text[node.start : node.end], unit)


@dataclass(frozen=True)
class HyperTextSpan:
    """Code points `start` to `end` (exclusive) of the document's text, as `Document` has it."""

    start: int
    end: int

    def value(self, on: "str | Document") -> Value:
        """As XPaths with offsets, `globalOffsets` and the `text` between them."""
        document = on if isinstance(on, Document) else Document.parse(on)
        start, end = document.trimmed(self.start, self.end)
        first, first_offset = document.place(start, at_end=False)
        last, last_offset = document.place(end, at_end=True)
        value = {
            "start": first,
            "end": last,
            "startOffset": first_offset,
            "endOffset": last_offset,
            "globalOffsets": {"start": start, "end": end},
            "text": document.text[start:end],
        }
        return value, {}

    @classmethod
    def read(cls, value: Mapping[str, Any], on: "str | Document") -> "HyperTextSpan":
        """From a result's `value`: by its XPaths or, if they lead nowhere, its other offsets."""
        document = on if isinstance(on, Document) else Document.parse(on)
        if "startOffset" in value:
            start = document.offset(value["start"], value["startOffset"])
            end = document.offset(value["end"], value["endOffset"])
            if start is not None and end is not None:
                return cls(start, end)
        elsewhere = value.get("globalOffsets") or value
        return cls(int(elsewhere["start"]), int(elsewhere["end"]))


def _body(html: str, inline: bool) -> Element | None:
    """The element whose content is shown. Both pages of the editor are in standards mode."""
    import html5lib

    shown = LINE_END.sub(_line_end, REMOVED.sub("", html))
    if inline:
        part: Element = html5lib.parseFragment(shown, namespaceHTMLElements=False)
        return part
    root: Element = html5lib.parse(STANDARDS + shown, namespaceHTMLElements=False)
    return root.find("body")


@lru_cache(maxsize=16)
def _parse(html: str, inline: bool) -> Document:
    body = _body(html, inline)
    text: list[str] = []
    nodes: list[Node] = []
    elements: dict[str, int] = {}
    length = 0
    for path, piece in _walk(body) if body is not None else ():
        if piece is None:
            elements[path] = length
        else:
            if not path.endswith("]br"):
                nodes.append(Node(path, length, length + len(piece)))
            text.append(piece)
            length += len(piece)
    return Document("".join(text), tuple(nodes), elements)


def _line_end(number: "re.Match[str]") -> str:
    return "\n" if (number[1] or number[2]).lower() in {"10", "a"} else "\r"


def _walk(body: Element) -> Iterator[tuple[str, str | None]]:
    """Each element's path (with None) and each text's path and text, in document order."""
    stack: list[tuple[Element, str, Iterator[Element], dict[str, int]]] = []
    counts: dict[str, int] = {}
    if body.text:
        yield _step("", "text()", counts), body.text
    stack.append((body, "", iter(body), counts))
    while stack:
        element, path, children, counts = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            if stack and element.tail:
                yield _step(stack[-1][1], "text()", stack[-1][3]), element.tail
            continue
        name = child.tag.rsplit("}", 1)[-1].lower() if isinstance(child.tag, str) else "#comment"
        inside = _step(path, name, counts)
        yield (inside + "br", "\n") if name == "br" else (inside, None)
        inner: dict[str, int] = {}
        if child.text and isinstance(child.tag, str):
            yield _step(inside, "text()", inner), child.text
        stack.append((child, inside, iter(child), inner))


def _step(path: str, name: str, counts: dict[str, int]) -> str:
    counts[name] = counts.get(name, 0) + 1
    return f"{path}/{name}[{counts[name]}]"
