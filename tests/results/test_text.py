"""Characters: on plain text, in HTML, in paragraphs. The editor's side is in tests/e2e."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backend.passages import Passages
from shared.errors import DecodeError
from shared.label_studio.label_config import LabelConfig
from shared.results import Dialogue, Document, HyperTextSpan, ParagraphSpan, TextSpan
from shared.results.utf16 import code_point_offset, utf16_length

TEXTS = {
    "emoji": "Hi 😀 Bob 👨‍👩‍👧",
    "combining marks": "e\u0301te\u0301 Bob",
    "line ends": "one\r\ntwo Bob\r\n",
    "leading spaces": "   Bob",
    "a lone surrogate": "\ud83d Bob",
}
texts = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_spans_count_code_points_as_the_editor_does(text: str) -> None:
    start = text.index("B") if "B" in text else 0
    value, beside = TextSpan(start, start + 3).to_value(text)
    assert value == {"start": start, "end": start + 3, "text": text[start : start + 3]}
    assert beside == {}
    assert TextSpan.from_value(value, text) == TextSpan(start, start + 3)


@given(texts, st.integers(0, 40))
def test_offsets_come_back(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    span = TextSpan(offset, len(text))
    value, _ = span.to_value(text)
    assert TextSpan.from_value(value, text) == span
    assert code_point_offset(text, utf16_length(text[:offset])) == offset
    assert utf16_length(text) == len(text.encode("utf-16-le")) // 2


def test_an_offset_inside_a_pair_is_before_it() -> None:
    assert code_point_offset("a😀b", 2) == 1


PAGE = (
    "<!DOCTYPE html><html><head><title>T</title></head><body>\n"
    "<h1>Hi 😀 Bob</h1><p>one<br>two <b>bold</b> tail</p><!-- c -->"
    "<script>no</script><table><tr><td>x</td></tr></table>"
)


def test_a_document_is_read_as_a_browser_does() -> None:
    document = Document.parse(PAGE)
    assert document.text == "\nHi 😀 Bobone\ntwo bold tailx"
    assert [node.path for node in document.nodes] == [
        "/text()[1]",
        "/h1[1]/text()[1]",
        "/p[1]/text()[1]",
        "/p[1]/text()[2]",
        "/p[1]/b[1]/text()[1]",
        "/p[1]/text()[3]",
        "/table[1]/tbody[1]/tr[1]/td[1]/text()[1]",
    ]


def test_offsets_in_a_node_are_utf16_and_global_ones_code_points() -> None:
    start = Document.parse(PAGE).text.index("Bob")
    value, _ = HyperTextSpan(start, start + 3).to_value(PAGE)
    assert value == {
        "start": "/h1[1]/text()[1]",
        "end": "/h1[1]/text()[1]",
        "startOffset": 6,
        "endOffset": 9,
        "globalOffsets": {"start": start, "end": start + 3},
        "text": "Bob",
    }


def test_a_span_leaves_a_line_break_at_its_edge() -> None:
    document = Document.parse("a<br>b")
    value, _ = HyperTextSpan(1, 3).to_value(document)
    assert (value["start"], value["startOffset"]) == ("/text()[2]", 0)
    assert value["globalOffsets"] == {"start": 2, "end": 3}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": "/x[1]", "end": "/x[1]"}, "XPaths that lead nowhere"),
        ({"globalOffsets": None}, "XPaths alone"),
    ],
)
def test_a_span_is_read_by_what_it_has(change: dict[str, object], reason: str) -> None:
    value, _ = HyperTextSpan(4, 9).to_value(PAGE)
    assert HyperTextSpan.from_value({**value, **change}, PAGE) == HyperTextSpan(4, 9)


def test_plain_offsets_and_elements_are_read() -> None:
    assert HyperTextSpan.from_value({"start": 3, "end": 5}, PAGE) == HyperTextSpan(3, 5)
    value = {"start": "/p[1]", "end": "/p[1]", "startOffset": 0, "endOffset": 3}
    start = Document.parse(PAGE).text.index("one")
    assert HyperTextSpan.from_value(value, PAGE) == HyperTextSpan(start, start + 3)


@given(st.integers(0, 40), st.integers(0, 40))
def test_any_span_of_a_page_comes_back(start: int, length: int) -> None:
    document = Document.parse(PAGE)
    end = min(start + length, len(document.text))
    start, end = document.trim_span(start, end)
    if start < end:
        value, _ = HyperTextSpan(start, end).to_value(document)
        assert HyperTextSpan.from_value(value, document) == HyperTextSpan(start, end)


@pytest.mark.parametrize("html", ["", "<br>", "<", "&", "<b", "<!--", "<script>"])
@pytest.mark.parametrize("span", [(0, 0), (0, 5), (7, 9), (-3, 2), (5, 1)])
def test_spans_on_hardly_any_html_never_raise(html: str, span: tuple[int, int]) -> None:
    HyperTextSpan(*span).to_value(html)


def test_deep_html_is_read() -> None:
    depth = 500
    document = Document.parse("<b>" * depth + "x" + "</b>" * depth)
    assert document.text == "x"
    assert document.nodes[0].path == "/b[1]" * depth + "/text()[1]"
    assert document.find_node("/b[1]" * depth) == document.nodes[0]


OVER_THE_LIMITS = {
    "div": ("<div>" * 10_000 + "x", "512 deep"),
    "list": ("<ul><li>x" * 8000, "512 deep"),
    "misnested": ("<b><i>x</b>" * 8000, "512 deep"),
    "tables": ("<table><tr><td>x" * 6000, "512 deep"),
    "never closed": ("<b>x" * 10_000, "512 deep"),
    "attributes": (f"<p {' '.join(f'a{n}' for n in range(20_000))}>x</p>", "1000 attributes"),
    "outside of cells": ("<table>" + "<p>x</p>" * 12_000, "10000 pieces in tables"),
}


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(("html", "limit"), OVER_THE_LIMITS.values(), ids=OVER_THE_LIMITS)
def test_html_that_would_take_forever_is_refused(html: str, limit: str, inline: bool) -> None:
    assert len(html) < 150_000
    start = time.thread_time()
    with pytest.raises(DecodeError, match=limit) as caught:
        Document.parse(html, inline)
    assert time.thread_time() - start < 8
    assert len(str(caught.value)) < 250


def test_html_is_as_large_as_its_text_and_not_as_all_its_paths() -> None:
    """Four kilobytes of path for each of 10,000 texts: 40 MB in all."""
    depth, count = 500, 10_000
    html = "<div>" * depth + "<p>x</p>" * count
    tracemalloc.start()
    passages = Passages.from_html(html)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(passages.passages) == count
    assert kept < 15_000_000
    last = passages.source.nodes[-1]
    assert last.path == "/div[1]" * depth + f"/p[{count}]/text()[1]"
    assert passages.source.find_node(last.path) is last


PARAGRAPHS = '<View><Paragraphs name="d" value="$d" nameKey="who" textKey="says"/></View>'


def test_paragraphs_count_utf16() -> None:
    target = LabelConfig.parse(PARAGRAPHS).objects["d"]
    talk = Dialogue.from_paragraphs(
        target, [{"who": "A", "says": "Hi 😀 Ann"}, {"who": "B"}, {"says": "Bob"}]
    )
    assert talk == Dialogue(("Hi 😀 Ann", "", "Bob"), ("A", "B", ""))
    value, _ = ParagraphSpan(0, 5, 8).to_value(talk)
    assert value == {"start": "0", "end": "0", "startOffset": 6, "endOffset": 9, "text": "Ann"}
    assert ParagraphSpan.from_value(value, talk) == ParagraphSpan(0, 5, 8)
    over = ParagraphSpan(0, 5, 2, last=2)
    value, _ = over.to_value(talk)
    assert (value["end"], value["text"]) == ("2", "AnnBo")
    assert ParagraphSpan.from_value(value, talk) == over


@pytest.mark.parametrize("span", [(9, 0, 1), (0, 50, 60), (-1, 0, 1), (1, 2, 3)])
def test_paragraphs_that_are_not_there_never_raise(span: tuple[int, int, int]) -> None:
    ParagraphSpan(*span).to_value(Dialogue(("one",)))
