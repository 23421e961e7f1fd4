"""What a TimeSeries tag shows becomes times and channels, or a sentence says why not."""

from typing import Any

import numpy as np
import pytest

from backends.timeseries.layout import SeriesLayout
from backends.timeseries.series import Series
from shared.errors import ConfigError, PrelabelError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.settings import Settings

CHANNELS = '<Channel column="A"/><Channel column="b"/>'


def read(shown: Any, attributes: str = 'timeColumn="time"', channels: str = CHANNELS) -> Series:
    xml = (
        '<View><TimeSeriesLabels name="l" toName="ts"><Label value="x"/></TimeSeriesLabels>'
        f'<TimeSeries name="ts" value="$ts" {attributes}>{channels}</TimeSeries></View>'
    )
    config = LabelConfig.parse(xml)
    target = config.objects["ts"]
    media = MediaReader(Settings())
    try:
        layout = SeriesLayout.of_tag(config, target)
        return Series.read(Task(1, {"ts": shown}), target, layout, media, 1000)
    finally:
        media.close()


def csv(text: str) -> str:
    return "data:text/csv," + text.replace("\n", "%0A").replace(" ", "%20")


TABLE = {"time": [0, 1, 2], "A": [1, 2, None], "b": [4, 5, 6], "note": ["x", "y", "z"]}
DATES = 'timeColumn="time" timeFormat="%Y-%m-%d"'


def test_columns_in_the_task() -> None:
    found = read(TABLE)
    assert found.times.tolist() == [0, 1, 2]
    assert found.channels == ("a", "b")
    assert np.array_equal(found.values, [[1, 4], [2, 5], [np.nan, 6]], equal_nan=True)


def test_without_a_time_column_rows_are_counted() -> None:
    assert read(TABLE, 'timeFormat="%Y"').times.tolist() == [0, 1, 2]


def test_without_channels_all_columns_of_numbers_are_read() -> None:
    assert read(TABLE, channels="").channels == ("a", "b")


def test_channels_of_a_multi_channel() -> None:
    inside = f"<MultiChannel>{CHANNELS}</MultiChannel>"
    assert read(TABLE, channels=inside).channels == ("a", "b")


def test_a_file_with_dates_and_no_header() -> None:
    found = read(
        csv("2024-03-04;1;5\n2024-03-06;2;6"),
        'timeColumn="0" timeFormat="%Y-%m-%d" sep=";"',
        '<Channel column="2"/>',
    )
    assert np.diff(found.times).tolist() == [2 * 86_400_000]
    assert found.values[:, 0].tolist() == [5, 6]


def test_huge_values_become_ones_that_can_be_squared() -> None:
    found = read({**TABLE, "A": [1.5e308, -0.75e308, None]})
    assert np.array_equal(found.values, [[1, 4], [-0.5, 5], [np.nan, 6]], equal_nan=True)


def test_repeated_times_and_a_row_that_was_cut_off() -> None:
    found = read(csv("time,A,b\n0,1,2\n0,1,2\n1,2,3\n,"))
    assert found.times.tolist() == [0, 0, 1]


def test_a_year_is_a_date_by_its_format() -> None:
    years = {"time": [1970, 1971], "A": [1, 2], "b": [1, 2]}
    assert read(years, 'timeColumn="time" timeFormat="%Y"').times.tolist() == [0, 365 * 86_400_000]


@pytest.mark.parametrize(
    ("shown", "attributes", "message"),
    [
        pytest.param([1, 2], "", "found a list", id="a list"),
        pytest.param({"time": [1], "A": [2]}, "", 'no column "b"; it has "time", "A"', id="column"),
        pytest.param({**TABLE, "A": ["x", "y", "z"]}, "", 'no numbers: found "x", "y"', id="text"),
        pytest.param({**TABLE, "A": [None] * 3}, "", "all of its cells are empty", id="empty"),
        pytest.param({**TABLE, "time": [0, 2, 1]}, "", "row 3 has 1 after 2; sort", id="unsorted"),
        pytest.param({**TABLE, "time": [0, "x", 1]}, "", '"x" in row 2, expected a', id="no time"),
        pytest.param(
            {**TABLE, "time": ["a"] * 3}, DATES, '"a" in row 1, expected a time', id="date"
        ),
        pytest.param({"time": [], "A": [], "b": []}, "", "has no rows", id="no rows"),
        pytest.param(csv("time,A,b\n"), "", "has no rows", id="a header alone"),
        pytest.param(csv("time,A,b\n" + "1,2,3\n" * 1001), "", "over 1,000 rows", id="too long"),
        pytest.param("", "", "is empty", id="no address"),
        pytest.param(csv("<html>\n<body>"), "", "no column", id="a page"),
    ],
)
def test_what_is_wrong_is_said(shown: Any, attributes: str, message: str) -> None:
    with pytest.raises(PrelabelError, match=message):
        read(shown, attributes or 'timeColumn="time"')


def test_a_format_that_the_editor_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match='timeFormat="%Y %k" has "%k"'):
        read(TABLE, 'timeColumn="time" timeFormat="%Y %k"')
