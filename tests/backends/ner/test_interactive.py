"""A span that the user marks is marked everywhere in the text."""

from typing import Any

import pytest

from shared.backend.passages import Passages
from shared.label_studio.label_config import LabelConfig
from shared.results import Dialogue, region

from .conftest import Predict
from .test_objects import HTML, TALK, TEXT, texts

TALK = TALK.replace("ATTRS", "")


def marked(xml: str, on: Passages, part: int, start: int, end: int, label: str) -> dict[str, Any]:
    """Return the context that the editor sends when a span has been marked."""
    control = LabelConfig.parse(xml).controls[0]
    shape = on.to_shape(on.passages[part], start, end)
    return {"result": list(region(shape, {control: [label]}, source=on.source).results)}


def on_text(text: str, word: str, label: str = "Location") -> dict[str, Any]:
    start = text.index(word)
    passages = Passages(text, Passages.from_html("x").passages[:1])
    return marked(TEXT, passages, 0, start, start + len(word), label)


@pytest.mark.parametrize(
    ("text", "word", "starts"),
    [
        pytest.param("Ulm, Ulm and Ulm", "Ulm", [5, 13], id="everywhere else"),
        pytest.param("art in a party: art", "art", [16], id="whole words only"),
        pytest.param("art in a party", "r", [11], id="a part of a word is found in words"),
        pytest.param("Ulm ulm ULM", "Ulm", [], id="in the same letters"),
        pytest.param("a.b axb a.b", "a.b", [8], id="no regular expression"),
        pytest.param("(x) [x] (x)", "(x)", [8], id="brackets"),
        pytest.param("😀 Ulm 😀 Ulm", "Ulm", [8], id="emoji before"),
        pytest.param("-----", "--", [2], id="no overlap"),
        pytest.param("北京在北京", "北京", [], id="scripts without spaces have no word borders"),
    ],
)
def test_on_text(predict: Predict, text: str, word: str, starts: list[int]) -> None:
    [answer] = predict(TEXT, {"t": text}, context=on_text(text, word))
    assert [r["value"]["start"] for r in answer["result"]] == starts
    for result in answer["result"]:
        assert result["value"]["text"] == word
        assert result["value"]["labels"] == ["Location"]


def test_same_context_gives_the_same_prediction(predict: Predict) -> None:
    context = on_text("Ulm, Ulm, Ulm", "Ulm")
    first, second = (predict(TEXT, {"t": "Ulm, Ulm, Ulm"}, context=context) for _ in range(2))
    assert first == second
    assert len({r["id"] for r in first[0]["result"]}) == 2


def test_marked_spans_are_not_marked_again(predict: Predict) -> None:
    text = "Ulm, Ulm, Ulm"
    both = on_text(text, "Ulm")["result"] + on_text(text, "Ulm, Ulm")["result"]
    second = dict(
        both[0], id="b", value={"start": 5, "end": 8, "text": "Ulm", "labels": ["Person"]}
    )
    [answer] = predict(TEXT, {"t": text}, context={"result": [both[0], second]})
    assert [r["value"]["start"] for r in answer["result"]] == [10]


def test_on_html_and_paragraphs(predict: Predict) -> None:
    html = "<p>In <b>Ulm</b></p><p>and Ulm</p>"
    context = marked(HTML, Passages.from_html(html), 0, 3, 6, "Location")
    [answer] = predict(HTML, {"h": html}, context=context)
    assert [r["value"]["start"] for r in answer["result"]] == ["/p[2]/text()[1]"]
    said = [{"says": "😀 Ulm"}, {"says": "In Ulm, Ulm"}]
    talk = Passages.from_dialogue(Dialogue(("😀 Ulm", "In Ulm, Ulm")))
    [answer] = predict(TALK, {"p": said}, context=marked(TALK, talk, 0, 2, 5, "Location"))
    found = [(r["value"]["start"], r["value"]["startOffset"]) for r in answer["result"]]
    assert found == [("1", 3), ("1", 8)]


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"result": []},
        {"result": [{}]},
        {"result": [{"from_name": "ner", "to_name": "t", "type": "labels", "value": {}}]},
        {"result": [{"from_name": "other", "value": {"start": 0, "end": 3, "labels": ["x"]}}]},
        {"result": [{"from_name": "ner", "value": {"start": 50, "end": 60, "labels": ["Person"]}}]},
        {"result": [{"from_name": "ner", "value": {"start": "a", "end": 3, "labels": ["Person"]}}]},
        {"result": ["x", None]},
    ],
)
def test_context_without_a_span_gives_nothing(predict: Predict, context: Any) -> None:
    [answer] = predict(TEXT, {"t": "Ulm Ulm"}, context=context)
    assert texts(answer) == []
