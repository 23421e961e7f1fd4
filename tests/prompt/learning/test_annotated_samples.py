"""Annotations become answers as a question's schema has them."""

from pathlib import Path
from typing import Any

import pytest

from backends.prompt.answer_schema import build_schema, check_answer, property_name
from backends.prompt.learning.annotated_samples import read_examples
from shared.backend import TrainingError, TrainingRun
from shared.label_studio.label_config import LabelConfig
from tests.evaluation.dataset.building import build, task

XML = """<View>
  <Text name="text" value="$text"/><Paragraphs name="talk" value="$talk"/>
  <Text name="question" value="$question"/>
  <Choices name="one" toName="text"><Choice value="Good" alias="g"/><Choice value="Bad"/></Choices>
  <Choices name="many" toName="text" choice="multiple">
    <Choice value="Work"/><Choice value="Home"/></Choices>
  <Taxonomy name="place" toName="text"><Choice value="EU"><Choice value="Rome"/></Choice>
    <Choice value="US"/></Taxonomy>
  <Rating name="stars" toName="text"/>
  <TextArea name="summary" toName="text"/>
  <Labels name="entity" toName="text"><Label value="City"/><Label value="Person"/></Labels>
  <ParagraphLabels name="turn" toName="talk"><Label value="Ask"/></ParagraphLabels>
</View>"""
TEXT = "Rome, Ann said, is not Rome."
DATA = {
    "text": TEXT,
    "talk": [{"author": "Ann", "text": "Where?"}, {"author": "Bob", "text": "There."}],
    "question": "Which city?",
}


def answer(name: str, kind: str, value: Any, key: str = "") -> dict[str, Any]:
    return {"type": kind, "from_name": name, "to_name": "text", "value": {key or kind: value}}


def entity(label: str, start: int, end: int) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    return {"type": "labels", "from_name": "entity", "to_name": "text", "value": value}


TURN = {
    "type": "paragraphlabels",
    "from_name": "turn",
    "to_name": "talk",
    "value": {
        "start": "0",
        "end": "0",
        "startOffset": 0,
        "endOffset": 5,
        "text": "Where",
        "paragraphlabels": ["Ask"],
    },
}


def read_one(name: str, *results: dict[str, Any], folder: Path) -> Any:
    """The example of a task with these results, and what a training of a control tag sees."""
    config = LabelConfig.parse(XML)
    control = next(c for c in config.controls if c.name == name)
    numbered = [{**result, "id": str(place)} for place, result in enumerate(results)]
    built = build(folder, XML, [task(1, DATA, numbered)], "jsonl")
    run = TrainingRun(config, control, tuple(control.labels), built.folder, None, folder)
    [example] = read_examples(run, "train")
    schema = build_schema((control,), config)
    given = {property_name(control, config): example.answer[name]}
    assert check_answer(schema, given) == []
    return example


@pytest.mark.parametrize(
    ("name", "results", "expected"),
    [
        pytest.param("one", [answer("one", "choices", ["g"])], "Good", id="by the shown name"),
        pytest.param(
            "many", [answer("many", "choices", ["Home", "Work"])], ["Home", "Work"], id="several"
        ),
        pytest.param(
            "place", [answer("place", "taxonomy", [["EU", "Rome"]])], ["EU > Rome"], id="a path"
        ),
        pytest.param("stars", [answer("stars", "rating", 4)], 4, id="rating"),
        pytest.param("summary", [answer("summary", "textarea", ["No."], "text")], "No.", id="text"),
        pytest.param(
            "entity",
            [entity("City", 0, 4), entity("Person", 6, 9), entity("City", 23, 27)],
            [
                {"quote": "Rome", "occurrence": 1, "label": "City"},
                {"quote": "Ann", "occurrence": 1, "label": "Person"},
                {"quote": "Rome", "occurrence": 2, "label": "City"},
            ],
            id="spans, by their occurrence",
        ),
        pytest.param(
            "turn", [TURN], [{"quote": "Where", "occurrence": 1, "label": "Ask"}], id="paragraphs"
        ),
    ],
)
def test_answer(name: str, results: list[dict[str, Any]], expected: Any, tmp_path: Path) -> None:
    assert read_one(name, *results, folder=tmp_path).answer == {name: expected}


def test_content_is_what_a_question_shows(tmp_path: Path) -> None:
    example = read_one("stars", answer("stars", "rating", 4), folder=tmp_path)
    shown = {part.name: part.text for part in example.content}
    assert shown == {
        "text": DATA["text"],
        "talk": "Ann: Where?\nBob: There.",
        "question": "Which city?",
    }


def test_a_lacking_part_is_named(tmp_path: Path) -> None:
    config = LabelConfig.parse(XML)
    run = TrainingRun(config, config.controls[0], (), tmp_path, None, tmp_path)
    with pytest.raises(TrainingError, match=r"no part val\.jsonl"):
        list(read_examples(run, "val"))
