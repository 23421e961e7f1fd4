"""The tree that a browser builds from HTML, within limits that no real document reaches."""

from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from shared.errors import DecodeError

# Nesting depth: browsers do not nest more deeply either.
MAX_DEPTH = 512
# Attributes of one element.
MAX_ATTRIBUTES = 1000
# Pieces inside a table but outside its cells; each is moved before the table.
MAX_MOVED = 10_000


def body_of(html: str, inline: bool) -> Element | None:
    """Return the body of a page, or the root of a fragment; DecodeError if over the limits.

    html5lib looks through all open elements at most tags, through all attributes at each, and
    through all children for what it moves: without limits it is quadratic.
    """
    parser = _parser()()
    if inline:
        part: Element = parser.parseFragment(html)
        return part
    root: Element = parser.parse(html)
    return root.find("body")


class _Open(list[Any]):
    """The stack of open elements, of limited depth."""

    def append(self, element: Any) -> None:
        if len(self) >= MAX_DEPTH:
            raise DecodeError(
                f"The HTML has elements nested more than {MAX_DEPTH} deep, which browsers do not"
                " show as they are written: close what is open, such as each <b> with a </b>"
            )
        super().append(element)


@cache
def _parser() -> Any:
    """Return the parser's class: html5lib is imported only when there is HTML to parse."""
    import html5lib
    from html5lib.treebuilders import getTreeBuilder

    class Tree(getTreeBuilder("etree")):  # type: ignore[misc]
        def reset(self) -> None:
            super().reset()
            self.openElements = _Open()
            self.moved = 0

        def getTableMisnestedNodePosition(self) -> Any:  # noqa: N802 - html5lib's name
            self.moved += 1
            if self.moved > MAX_MOVED:
                raise DecodeError(
                    f"The HTML has more than {MAX_MOVED} pieces in tables outside of their cells:"
                    " put them into <td> tags"
                )
            return super().getTableMisnestedNodePosition()

    class Parser(html5lib.HTMLParser):
        def __init__(self) -> None:
            super().__init__(tree=Tree, namespaceHTMLElements=False)

        def reset(self) -> None:
            super().reset()
            tokens, state = self.tokenizer, self.tokenizer.attributeNameState

            def attribute() -> Any:
                if len(tokens.currentToken["data"]) > MAX_ATTRIBUTES:
                    raise DecodeError(
                        f"The HTML has an element with more than {MAX_ATTRIBUTES} attributes"
                    )
                return state()

            tokens.attributeNameState = attribute

    return Parser
