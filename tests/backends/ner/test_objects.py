"""Entities on each text tag, at the characters that the editor highlights."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.backend.passages import Passages
from shared.pipeline import runtime
from shared.results import Document

from .conftest import Predict

LABELS = '<Label value="Person"/><Label value="Location"/><Label value="Organization"/>'
TEXT = f"""<View><Labels name="ner" toName="t">{LABELS}</Labels>
<Text name="t" value="$t"/></View>"""
HTML = f"""<View><HyperTextLabels name="ner" toName="h">{LABELS}</HyperTextLabels>
<HyperText name="h" value="$h"/></View>"""
TALK = f"""<View><ParagraphLabels name="ner" toName="p">{LABELS}</ParagraphLabels>
<Paragraphs name="p" value="$p" nameKey="who" textKey="says" ATTRS/></View>"""
SENTENCE = "Angela Berg met Thomas Hill in Lisbon."
NAMES = ["Angela Berg", "Thomas Hill", "Lisbon"]


def texts(answer: Any) -> list[str]:
    return [result["value"]["text"] for result in answer["result"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="bare"),
        pytest.param("   ", "  ", id="spaces around"),
        pytest.param("\t", "\t\n", id="tabs"),
        pytest.param("Hello.\r\n", "\r\nBye.\r\n", id="line ends of Windows"),
        pytest.param("😀 😀 ", " 👍", id="emoji"),
        pytest.param("👨‍👩‍👧 ", " 👨‍👩‍👧", id="ZWJ sequences"),
        pytest.param("The cafe\u0301 is de\u0301mode\u0301. ", "", id="combining marks"),
        pytest.param("東京。", "北京。", id="CJK"),
        pytest.param("שלום עולם. ", " مرحبا", id="right to left"),
        pytest.param("\ud83d ", " \ude00", id="halves of pairs"),
    ],
)
def test_offsets_are_of_the_text_itself(predict: Predict, before: str, after: str) -> None:
    text = before + SENTENCE + after
    [answer] = predict(TEXT, {"t": text})
    assert set(NAMES) <= set(texts(answer))
    for result in answer["result"]:
        value = result["value"]
        assert text[value["start"] : value["end"]] == value["text"]
        assert value["text"] == value["text"].strip() != ""


@pytest.mark.parametrize("text", ["", " ", "\r\n", "A", "😀", "\u0301", "\ud83d"])
def test_almost_empty_texts_are_predicted(predict: Predict, text: str) -> None:
    for answer in predict(TEXT, {"t": text}):
        assert isinstance(answer["result"], list)


def test_html_is_read_block_by_block(predict: Predict) -> None:
    html = (
        "<h1>Angela Berg</h1><div>met &amp; liked <b>Thomas</b> <i>Hill</i> in Lisbon.<br>"
        "Then she left.</div><style>Paris</style>"
    )
    [answer] = predict(HTML, {"h": html})
    document = Document.parse(html)
    assert [text for text in texts(answer) if text != "Angela Berg"] == ["Thomas Hill", "Lisbon"]
    for result in answer["result"]:
        value, place = result["value"], result["value"]["globalOffsets"]
        assert result["type"] == "hypertextlabels"
        assert document.text[place["start"] : place["end"]] == value["text"]
    thomas = next(r for r in answer["result"] if r["value"]["text"] == "Thomas Hill")
    assert (thomas["value"]["start"], thomas["value"]["end"]) == (
        "/div[1]/b[1]/text()[1]",
        "/div[1]/i[1]/text()[1]",
    )


@pytest.mark.parametrize(
    ("html", "passages"),
    [
        ("<h1>Bob</h1><p>One <b>two</b></p>", ["Bob", "One two"]),
        ("<div>a<p>b</p>c</div>", ["a", "b", "c"]),
        ("<b>Goo</b>gle", ["Google"]),
        ("a<br>b", ["a\nb"]),
        ("<table><tr><td>x</td><td>y</td></tr></table>", ["x", "y"]),
        ("<p>  </p>\n<p>x</p>", ["x"]),
        ("<style>p {}</style>x", ["x"]),
        ("", []),
    ],
)
def test_passages_of_html(html: str, passages: list[str]) -> None:
    found = Passages.from_html(html)
    assert [passage.text for passage in found.passages] == passages
    for passage in found.passages:
        assert found.source.text[passage.start :].startswith(passage.text)


def talk(attrs: str = "") -> str:
    return TALK.replace("ATTRS", attrs)


def test_paragraphs_are_read_one_by_one(predict: Predict) -> None:
    said = [{"who": "A", "says": "😀 " + SENTENCE}, {"who": "B"}, {"says": SENTENCE}]
    [answer] = predict(talk(), {"p": said})
    places = [(r["value"]["start"], r["value"]["text"]) for r in answer["result"]]
    assert places == [(p, name) for p in ("0", "2") for name in NAMES]
    first = answer["result"][0]
    assert first["type"] == "paragraphlabels"
    assert first["value"]["startOffset"] == 3  # in UTF-16 code units: the emoji are two


@pytest.mark.parametrize(
    "value",
    ["text", 7, {}, ["x"], [{"says": 3}], [[]]],
    ids=["text", "number", "object", "texts", "number inside", "lists"],
)
def test_invalid_dialogue_fails_only_its_task(predict: Predict, value: Any) -> None:
    good, bad = predict(talk(), {"p": [{"says": SENTENCE}]}, {"p": value})
    assert texts(good) == NAMES
    assert bad == []


@pytest.mark.parametrize("value", [None, ["x"], {}])
def test_invalid_text_fails_only_its_task(predict: Predict, value: Any) -> None:
    """The next task keeps its own prediction (defect 2 of the official examples)."""
    first, bad, empty, last = predict(
        TEXT, {"t": SENTENCE}, {"t": value}, {"t": "It rained."}, {"t": "In Lisbon."}
    )
    assert (texts(first), bad, empty["result"], texts(last)) == (NAMES, [], [], ["Lisbon"])


def test_several_texts_in_one_config(predict: Predict) -> None:
    xml = TEXT.replace("</View>", "") + (
        f'<Labels name="two" toName="u">{LABELS}</Labels><Text name="u" value="$u"/></View>'
    )
    [answer] = predict(xml, {"t": "In Lisbon.", "u": SENTENCE})
    found = [(r["from_name"], r["to_name"], r["value"]["text"]) for r in answer["result"]]
    assert found == [("ner", "t", "Lisbon"), *(("two", "u", name) for name in NAMES)]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(tmp_path))
    runtime.reset_runtime()
    return tmp_path


def test_texts_and_dialogues_by_address(predict: Predict, files: Path) -> None:
    (files / "a.txt").write_bytes(b"\xef\xbb\xbf" + SENTENCE.encode())
    (files / "a.json").write_text(json.dumps([{"says": SENTENCE}]))
    (files / "b.json").write_text("no JSON")
    by_url = TEXT.replace('value="$t"', 'value="$t" valueType="url"')
    here, outside = predict(
        by_url, {"t": "/data/local-files/?d=a.txt"}, {"t": "/data/local-files/?d=../a.txt"}
    )
    assert (texts(here), outside) == (NAMES, [])
    here, broken = predict(
        talk('valueType="url"'),
        {"p": "/data/local-files/?d=a.json"},
        {"p": "/data/local-files/?d=b.json"},
    )
    assert (texts(here), broken) == (NAMES, [])
