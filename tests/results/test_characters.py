"""Characters that are easily miscounted, as the editor counts them: tests/e2e has its own word."""

from typing import Any

import pytest

from shared.results import Document
from tests.e2e.characters import HTML, TALK, TEXTS, words

WORDS = words()


def of_utf16(text: str, start: int, end: int) -> str:
    """A part of a text by offsets of JavaScript's."""
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def values(kind: str) -> list[Any]:
    return [
        pytest.param(
            name.removeprefix(kind), result["value"], id=f"{name} {result['value']['text']}"
        )
        for name, regions in WORDS.items()
        if name.startswith(kind)
        for region in regions
        for result in region.results
    ]


@pytest.mark.parametrize(("name", "value"), values("Text: "))
def test_text(name: str, value: dict[str, Any]) -> None:
    """Of texts the editor counts code points."""
    assert TEXTS[name][value["start"] : value["end"]] == value["text"]


@pytest.mark.parametrize(("name", "value"), values("Paragraphs: "))
def test_paragraphs(name: str, value: dict[str, Any]) -> None:
    """Of dialogues it counts UTF-16 code units of the paragraph, line ends as they are."""
    said = TALK.texts[int(value["start"])]
    assert said == TEXTS[name]
    assert of_utf16(said, value["startOffset"], value["endOffset"]) == value["text"]


@pytest.mark.parametrize(("name", "value"), values("HyperText: "))
def test_hypertext(name: str, value: dict[str, Any]) -> None:
    """Of documents both: code points of the whole, and UTF-16 code units of a text node."""
    document = Document.parse(HTML[name])
    place = value["globalOffsets"]
    assert document.text[place["start"] : place["end"]] == value["text"]
    nodes = {node.path: document.text[node.start : node.end] for node in document.nodes}
    first, last = nodes[value["start"]], nodes[value["end"]]
    assert (
        first.encode("utf-16-le")[2 * value["startOffset"] :][:2]
        == (value["text"].encode("utf-16-le")[:2])
    )
    assert of_utf16(last, 0, value["endOffset"])[-1] == value["text"][-1]
