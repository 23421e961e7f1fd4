"""Datasets of whole series."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingError
from tests.evaluation.dataset.building import build, task

DATES = (
    '<View><TimeSeriesLabels name="label" toName="ts"><Label value="Run"/></TimeSeriesLabels>'
    '<Choices name="mood" toName="ts"><Choice value="good"/></Choices>'
    '<TimeSeries name="ts" value="$ts" timeColumn="t" timeFormat="%Y-%m-%d">'
    '<Channel column="v"/></TimeSeries></View>'
)
NUMBERS = DATES.replace(' timeFormat="%Y-%m-%d"', "")
COLUMNS = {"t": ["1970-01-01", "1970-01-03"], "v": [1, 2]}


def span(start: Any, end: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "instant": start == end, "timeserieslabels": ["Run"]}
    keys = {"id": "a", "from_name": "label", "to_name": "ts", "type": "timeserieslabels"}
    return {**keys, "value": value}


MOOD = {"id": "m", "from_name": "mood", "to_name": "ts", "type": "choices"}
MOOD = {**MOOD, "value": {"choices": ["good"]}}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


def test_columns_of_the_task_become_a_file_and_dates_milliseconds(tmp_path: Path) -> None:
    built = build(
        tmp_path,
        DATES,
        [task(1, {"ts": COLUMNS}, [span("1970-01-01", "1970-01-03"), MOOD])],
        "series",
    )
    [line] = lines(built.folder)
    assert line["spans"] == [{"start": 0.0, "end": 172_800_000.0, "labels": {"label": ["Run"]}}]
    assert line["answers"] == {"mood": ["good"]}
    assert json.loads((built.folder / line["series"]).read_bytes()) == COLUMNS


def test_a_file_is_kept_as_it_is_once(tmp_path: Path) -> None:
    address = "data:text/csv,t,v%0A0,1%0A2,3"
    raws = [task(number, {"ts": address}, [span(0.0, 2.0)]) for number in (1, 2)]
    built = build(tmp_path, NUMBERS, raws, "series", near_duplicates=False)
    first, second = lines(built.folder)
    assert first["series"] == second["series"]
    assert (built.folder / first["series"]).read_bytes() == b"t,v\n0,1\n2,3"
    assert first["spans"][0]["end"] == 2.0


def test_a_file_that_cannot_be_fetched_costs_only_its_task(tmp_path: Path) -> None:
    raws = [task(1, {"ts": "ftp://nowhere/a.csv"}, [span(0, 1)])]
    raws.append(task(2, {"ts": {"t": [0, 1], "v": [1, 2]}}, [span(0, 1)]))
    built = build(tmp_path, NUMBERS, raws, "series")
    assert [line["id"] for line in lines(built.folder)] == [2]
    assert any("ftp" in problem for problem in built.problems)


def test_a_label_config_without_series_is_refused(tmp_path: Path) -> None:
    xml = (
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t">'
        '<Choice value="a"/></Choices>'
        "</View>"
    )
    with pytest.raises(SettingError, match="--format series needs a control tag on a TimeSeries"):
        build(tmp_path, xml, [task(1, {"t": "x"}, [])], "series")
