"""Regions on HTML: spans of characters, given as XPaths into the document's body."""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any
from xml.etree.ElementTree import Element

from shared.results.html_tree import body_of
from shared.results.types import ShapeValue
from shared.results.utf16 import code_point_offset, utf16_length

# What the editor removes before it displays a document (its utils/html.js, sanitizeHtml).
REMOVED_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<![^>]*>|<(script|iframe)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
# Line ends by number: the editor writes them out, and its browser reads them like any other.
LINE_END = re.compile("&#(?:0*(10|13)(?![0-9])|x0*([ad])(?![0-9a-f]));?", re.IGNORECASE)

# The name of a text node in an XPath.
TEXT_NODE = "text()"
# A page in an iframe's `srcdoc` is in standards mode even without it: a table ends a paragraph.
STANDARDS_DOCTYPE = "<!DOCTYPE html>"


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A text node or an element: the last step of its XPath, and the place of its text.

    The whole path is made when it is asked for: together all paths of a document may be far
    longer than the document. Of an element only the start is known.
    """

    parent: "Node | None"
    step: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """The element's name, or `text()`."""
        return self.step.partition("[")[0]

    @property
    def path(self) -> str:
        """Return the XPath from the body on."""
        steps: list[str] = []
        node: Node | None = self
        while node is not None:
            steps.append(node.step)
            node = node.parent
        return "".join(f"/{step}" for step in reversed(steps))


@dataclass(frozen=True, eq=False)
class Document:
    """An HTML document as the editor's browser builds it (its DOM, by the HTML standard).

    `text` is what a model reads: all text nodes of the body, a line break for each `<br>`.
    Offsets in it are in code points; they are the editor's `globalOffsets`.
    """

    text: str
    nodes: tuple[Node, ...]
    children: Mapping[tuple[Node | None, str], Node]
    """Elements and text nodes, by their parent and their step of the XPath."""
    digest: str = ""
    """What identifies it: a hash of the HTML, and of how that is shown."""

    @classmethod
    def parse(cls, html: str, inline: bool = False) -> "Document":
        """Parse HTML, or a fragment. Equal texts give the same object.

        `inline`: as a HyperText with `inline="true"` shows it, in Label Studio's own page, where
        the head's elements stand before the body's.
        """
        return _parse_document(html, inline)

    @cached_property
    def _node_starts(self) -> list[int]:
        return [node.start for node in self.nodes]

    @cached_property
    def _node_ends(self) -> list[int]:
        return [node.end for node in self.nodes]

    def trim_span(self, start: int, end: int) -> tuple[int, int]:
        """Return a span without line breaks of `<br>` at its ends: these must be in text nodes."""
        first, last = bisect_right(self._node_ends, start), bisect_left(self._node_starts, end) - 1
        if first >= len(self.nodes) or last < 0:
            return start, end
        return max(start, self.nodes[first].start), min(end, self.nodes[last].end)

    def locate_offset(self, offset: int, at_end: bool) -> tuple[str, int]:
        """Return the XPath of an offset's text node, and the UTF-16 code units before it there.

        Between two nodes a span's start belongs to the second one, its end to the first.
        """
        at = (
            bisect_left(self._node_ends, offset)
            if at_end
            else bisect_right(self._node_ends, offset)
        )
        if at >= len(self.nodes) or not self.nodes[at].start <= offset <= self.nodes[at].end:
            return "", 0
        node = self.nodes[at]
        return node.path, utf16_length(self.text[node.start : offset])

    def find_node(self, path: str) -> Node | None:
        """Return the text node that the editor resolves an XPath to: for an element, its first."""
        if not path.startswith("/"):
            return None
        found = None
        for step in path.split("/")[1:] if path != "/" else ():
            found = self.children.get((found, step))
            if found is None:
                return None
        if found is not None and found.name == TEXT_NODE:
            return found
        start = found.start if found is not None else 0
        at = bisect_right(self._node_ends, start)
        return self.nodes[at] if at < len(self.nodes) and self.nodes[at].start <= start else None

    def in_one_node(self, start: int, end: int) -> bool:
        """Return whether a span lies in a single text node."""
        return bisect_right(self._node_ends, start) == bisect_left(self._node_ends, end)

    def text_offset(self, path: str, unit: int) -> int | None:
        """Return the offset in `text` of UTF-16 code units in a node; None without such a node."""
        node = self.find_node(path)
        if node is None:
            return None
        return node.start + code_point_offset(self.text[node.start : node.end], unit)


@dataclass(frozen=True)
class HyperTextSpan:
    """Code points `start` to `end` (exclusive) of the document's text, as `Document` has it."""

    start: int
    end: int

    def to_value(self, source: "str | Document") -> ShapeValue:
        """Return XPaths with offsets, `globalOffsets`, and the `text` between them."""
        document = source if isinstance(source, Document) else Document.parse(source)
        start, end = document.trim_span(self.start, self.end)
        first, first_offset = document.locate_offset(start, at_end=False)
        last, last_offset = document.locate_offset(end, at_end=True)
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
    def from_value(cls, value: Mapping[str, Any], source: "str | Document") -> "HyperTextSpan":
        """Read a result's `value`: by its XPaths or, if they do not resolve, its other offsets."""
        document = source if isinstance(source, Document) else Document.parse(source)
        if "startOffset" in value:
            start = document.text_offset(value["start"], value["startOffset"])
            end = document.text_offset(value["end"], value["endOffset"])
            if start is not None and end is not None:
                return cls(start, end)
        elsewhere = value.get("globalOffsets") or value
        return cls(int(elsewhere["start"]), int(elsewhere["end"]))


def _parse_body(html: str, inline: bool) -> Element | None:
    """Return the element whose content is displayed; the editor's pages are in standards mode."""
    shown = LINE_END.sub(_read_line_end, REMOVED_MARKUP.sub("", html))
    return body_of(shown if inline else STANDARDS_DOCTYPE + shown, inline)


@lru_cache(maxsize=16)
def _parse_document(html: str, inline: bool) -> Document:
    body = _parse_body(html, inline)
    read = f"{inline}{html}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(read, digest_size=16).hexdigest()
    return replace(_DocumentBuilder().build_document(body), digest=digest)


def _read_line_end(number: "re.Match[str]") -> str:
    return "\n" if (number[1] or number[2]).lower() in {"10", "a"} else "\r"


class _DocumentBuilder:
    """Walks through a body in document order, and collects its text and nodes."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._length = 0
        self._nodes: list[Node] = []
        self._children: dict[tuple[Node | None, str], Node] = {}
        self._counts: Counter[tuple[Node | None, str]] = Counter()

    def build_document(self, body: Element | None) -> Document:
        """Return the document of a body."""
        stack: list[tuple[Node | None, Element, Iterator[Element]]] = []
        if body is not None:
            self._add_text(None, body.text)
            stack.append((None, body, iter(body)))
        while stack:
            above, element, children = stack[-1]
            child = next(children, None)
            if child is not None:
                stack.append((self._enter_element(above, child), child, iter(child)))
                continue
            stack.pop()
            if stack:
                self._add_text(stack[-1][0], element.tail)
        return Document("".join(self._text), tuple(self._nodes), self._children)

    def _enter_element(self, above: Node | None, element: Element) -> Node:
        tag = element.tag
        name = tag.rsplit("}", 1)[-1].lower() if isinstance(tag, str) else "#comment"
        node = self._add_node(above, name, "\n" if name == "br" else "")
        if name != "br":
            self._children[above, node.step] = node
        if isinstance(tag, str):
            self._add_text(node, element.text)
        return node

    def _add_text(self, above: Node | None, text: str | None) -> None:
        if text:
            node = self._add_node(above, TEXT_NODE, text)
            self._children[above, node.step] = node
            self._nodes.append(node)

    def _add_node(self, above: Node | None, name: str, text: str) -> Node:
        self._counts[above, name] += 1
        start, self._length = self._length, self._length + len(text)
        self._text.append(text)
        return Node(above, f"{name}[{self._counts[above, name]}]", start, self._length)
