"""The results of every control tag for the same detections, compared with golden.json."""

import json
from functools import cache
from typing import Any

import pytest

from backends.detection import DetectionBackend
from tests.backends.detection.every_tag import ROWS, SCENES, Row
from tests.backends.detection.golden import FILE, predict_scenes
from tests.e2e.compare import differences

Result = dict[str, Any]


@cache
def golden_results() -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = json.loads(FILE.read_text())
    return found


@cache
def predicted_results() -> dict[str, list[Result]]:
    pytest.importorskip("lap")
    return predict_scenes(SCENES.values())


def row_results(row: Row, results: list[Result]) -> list[Result]:
    """Return the results of a row, and those with the same ids."""
    ids = {result["id"] for result in results if result["from_name"] == row.control}
    return [result for result in results if result["id"] in ids]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_tag_gets_what_is_written_down(row: Row) -> None:
    sent, expected = (
        row_results(row, found[row.scene]) for found in (predicted_results(), golden_results())
    )
    assert differences(expected, sent) == []
    assert [result["id"] for result in sent] == [result["id"] for result in expected]
    assert {result["type"] for result in sent} == {row.type, row.beside} - {""}
    for result in sent:
        assert row.keys <= result.keys()


def test_nothing_else_is_said() -> None:
    assert predicted_results().keys() == golden_results().keys() == SCENES.keys()
    for name, results in predicted_results().items():
        said = {(r["from_name"], r["type"]) for r in results} - {("Labels", "labels")}
        assert said == {(row.control, row.type) for row in ROWS if row.scene == name}


def test_every_tag_that_is_filled_has_a_row() -> None:
    kinds = {(row.type, "Video" if SCENES[row.scene].key == "video" else "Image") for row in ROWS}
    filled = {(tag.lower(), target) for tag, target in DetectionBackend.fills}
    assert filled <= kinds
