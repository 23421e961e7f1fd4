"""Time series as text."""

from typing import Any

import pytest

from shared.backend import DecodeError, ValueTypeError
from shared.errors import TaskError
from tests.prompt.content.shown import data_url, read, texts

SERIES = (
    '<TimeSeries name="ts" value="$v" timeColumn="Time"><Channel column="a"/><Channel column="b"/>'
    '</TimeSeries><Rating name="r" toName="ts"/>'
)
FREE = '<TimeSeries name="ts" value="$v" sep=";"/><Rating name="r" toName="ts"/>'


def shown(xml: str, value: Any, **limits: Any) -> list[str]:
    [text] = texts(read(xml, {"v": value}, **limits))
    return text.splitlines()


def test_a_short_series_is_shown_whole() -> None:
    value = {"Time": [1, 2, 3], "a": [1, 2, 6], "b": [0.5, None, "x"], "unused": [0, 0, 0]}
    assert shown(SERIES, value) == [
        "| channel | values | missing | lowest | mean | highest | deviation |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| a | 3 | 0 | 1 | 3 | 6 | 2.1602 |",
        "| b | 1 | 2 | 0.5 | 0.5 | 0.5 | 0 |",
        "",
        "All 3 rows:",
        "| time | a | b |",
        "| --- | --- | --- |",
        "| 1 | 1 | 0.5 |",
        "| 2 | 2 |  |",
        "| 3 | 6 |  |",
    ]


def test_a_long_series_comes_in_equal_parts() -> None:
    rows = "".join(f"2024-01-01 00:00:{n:02};{n}\n" for n in range(40))
    csv = "Time;level\n" + rows
    xml = FREE.replace('sep=";"', 'sep=";" timeColumn="Time" timeFormat="%Y-%m-%d %H:%M:%S"')
    lines = shown(xml, data_url(csv.encode(), "text/csv"), rows=10)
    assert lines[4] == "10 equal parts of 40 rows, each by its first time: mean [lowest, highest]"
    assert lines[7] == "| 2024-01-01 00:00:00 | 1.5 [0, 3] |"
    assert lines[16] == "| 2024-01-01 00:00:36 | 37.5 [36, 39] |"
    assert len(lines) == 17


def test_a_series_without_times_counts_rows() -> None:
    lines = shown(FREE, data_url(b"x;y\n1;2\n3;4\n", "text/csv"))
    assert lines[-2:] == ["| 0 | 1 | 2 |", "| 1 | 3 | 4 |"]


def test_many_channels_get_fewer_rows() -> None:
    value = {f"c{n}": list(range(100)) for n in range(8)}
    lines = shown(FREE, value, rows=60)
    assert lines[11].startswith("30 equal parts of 100 rows")


@pytest.mark.parametrize(
    ("xml", "value", "error", "words"),
    [
        (SERIES, [1, 2], ValueTypeError, "a list for each column"),
        (SERIES, {"Time": [1], "a": [1]}, DecodeError, 'no column "b"'),
        (SERIES, {"Time": [], "a": [], "b": []}, DecodeError, "no rows"),
        (SERIES, data_url(b"{broken", "application/json"), DecodeError, "begins like JSON"),
        (SERIES, {"Time": [1], "a": [1, 2], "b": [1]}, DecodeError, "differ in length"),
    ],
    ids=["list", "missing channel", "empty", "broken JSON", "ragged"],
)
def test_what_cannot_be_read(xml: str, value: Any, error: type[TaskError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(xml, {"v": value})
