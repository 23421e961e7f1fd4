"""The envelope: ids, answers, keys beside the value, relations; and all of it read back."""

import re
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pytest

from shared.label_studio.label_config import Control, LabelConfig
from shared.results import (
    Brush,
    ImageSize,
    Rectangle,
    Relation,
    TextSpan,
    parse_regions,
    parse_relations,
    region,
    relation,
    whole_task,
)
from tests.e2e.every_type import DIALOGUE, HTML, ROWS, SCENES, TEXT, Row
from tests.e2e.media import VIDEO

SIZE = ImageSize(100, 100)
BOX = Rectangle(10, 10, 20, 20)
CONFIG = LabelConfig.parse(
    """<View><Image name="i" value="$i"/><Text name="t" value="$t"/>
    <Rectangle name="box" toName="i"/><BrushLabels name="brush" toName="i"/>
    <Labels name="labels" toName="i"><Label value="A"/></Labels>
    <TextArea name="area" toName="i" perRegion="true"/>
    <Choices name="one" toName="t"><Choice value="x"/></Choices>
    <Choices name="nested" toName="t" allowNested="true"><Choice value="x"/></Choices>
    <Taxonomy name="tree" toName="t"><Choice value="a"><Choice value="b"/></Choice></Taxonomy>
    <DateTime name="minute" toName="t"/><DateTime name="day" toName="t" only="date"/>
    <DateTime name="clock" toName="t" only="time"/><DateTime name="year" toName="t" only="year"/>
    <DateTime name="own" toName="t" format="%d/%m/%y"/>
    <Ranker name="rank" toName="t"/><Pairwise name="pair" toName="t,i"/></View>"""
)


def control(name: str) -> Control:
    found = CONFIG.find_control(name)
    assert found is not None
    return found


def test_an_id_is_short_and_tells_regions_apart() -> None:
    made = {
        region(BOX, {control("box"): None}, SIZE).id,
        region(Rectangle(10, 10, 20, 21), {control("box"): None}, SIZE).id,
        region(BOX, {control("box"): None, control("labels"): "A"}, SIZE).id,
        region(BOX, {control("box"): None, control("labels"): "B"}, SIZE).id,
        region(BOX, {control("box"): None}, SIZE, item_index=1).id,
        region(Brush(np.ones((100, 100))), {control("brush"): "A"}, SIZE).id,
        region(Brush(np.eye(100)), {control("brush"): "A"}, SIZE).id,
    }
    assert len(made) == 7
    assert all(re.fullmatch("[0-9a-f]{12}", name) for name in made)


def test_an_id_stays_when_only_score_and_text_change() -> None:
    marks = {control("box"): None, control("area"): "one"}
    first = region(BOX, marks, SIZE, score=0.5)
    second = region(BOX, {**marks, control("area"): "two"}, SIZE, score=0.9)
    assert first.id == second.id
    assert first == region(BOX, marks, SIZE, score=0.5)


def test_all_results_of_a_region_share_id_place_score_and_envelope() -> None:
    marks = {control("box"): None, control("labels"): "A", control("area"): "text"}
    parent = region(BOX, {control("box"): None}, SIZE)
    made = region(BOX, marks, SIZE, score=1 / 3, parent=parent, meta={"text": ["x"]}, readonly=True)
    first, second, third = made.results
    assert made.score == 0.3333
    assert second["value"] == {**first["value"], "labels": ["A"]}
    assert third["value"] == {**first["value"], "text": ["text"]}
    for result in made.results:
        assert result["id"] == made.id
        assert result["parentID"] == parent.id
        assert result["meta"] == {"text": ["x"]}
        assert result["readonly"] is True
        assert result["original_width"] == 100


@pytest.mark.parametrize(
    ("name", "answer", "value"),
    [
        ("one", "x", {"choices": ["x"]}),
        ("one", ("x",), {"choices": ["x"]}),
        ("nested", "x", {"choices": [["x"]]}),
        ("tree", ["a", "b"], {"taxonomy": [["a", "b"]]}),
        ("tree", [["a"], ["a", "b"]], {"taxonomy": [["a"], ["a", "b"]]}),
        ("tree", [], {"taxonomy": []}),
        ("area", "text", {"text": ["text"]}),
        ("minute", datetime(2024, 2, 3, 4, 5, 6), {"datetime": "2024-02-03T04:05"}),
        ("day", date(2024, 2, 3), {"datetime": "2024-02-03"}),
        ("clock", time(4, 5), {"datetime": "04:05"}),
        ("year", date(2024, 2, 3), {"datetime": "2024"}),
        ("own", date(2024, 2, 3), {"datetime": "03/02/24"}),
        ("own", "03/02/24", {"datetime": "03/02/24"}),
        ("rank", ["b", "a"], {"ranker": {"rank": ["b", "a"]}}),
        ("rank", {"best": ["a"]}, {"ranker": {"best": ["a"]}}),
        ("pair", "left", {"selected": "left"}),
    ],
)
def test_answers_are_written_as_the_editor_has_them(name: str, answer: Any, value: Any) -> None:
    [result] = whole_task(control(name), answer).results
    assert result["value"] == value
    assert result["to_name"] == ("pair" if name == "pair" else control(name).to_name)


def test_relations() -> None:
    one, two = (region(TextSpan(n, n + 1), {control("one"): "x"}, "abc") for n in (0, 1))
    line = relation(one, two, "bi", ["is"])
    assert line.results == (
        {
            "from_id": one.id,
            "to_id": two.id,
            "type": "relation",
            "direction": "bi",
            "labels": ["is"],
        },
    )
    assert "labels" not in relation(one, two).results[0]
    assert line.score is None
    assert parse_relations([*one.results, *line.results]) == [
        Relation(one.id, two.id, "bi", ("is",))
    ]


ON = {
    "text": TEXT,
    "hypertext": HTML,
    "paragraphs": DIALOGUE,
    "video": VIDEO,
    "timeline": VIDEO,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_type_is_read_back(row: Row) -> None:
    """Results, read to shapes and marks and built again, are the same results."""
    results = [result for made in row.regions() for result in made.results]
    config = LabelConfig.parse(SCENES[row.scene].config)
    again = [
        reading.to_region()
        for reading in parse_regions(results, config, {"object": ON.get(row.scene)})
    ]
    lines = [line.result for line in parse_relations(results)]
    assert [result for made in again for result in made.results] + lines == results
