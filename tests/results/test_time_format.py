"""Times in d3's formats. Expected values are those of the editor's own d3-time-format."""

import numpy as np
import pytest

from shared.results.time_column import parse_times
from shared.results.time_format import format_time, parse_time, unknown_directive

MARCH_4 = 1_709_510_400_000  # 2024-03-04T00:00:00Z, a Monday
MOMENT = MARCH_4 + ((7 * 60 + 8) * 60 + 9) * 1000 + 123


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("%Y-%m-%d %H:%M:%S.%f", "2024-03-04 07:08:09.123000"),
        ("%Y-%m-%d %H:%M:%S.%L", "2024-03-04 07:08:09.123"),
        ("%Y-%m-%dT%H:%M:%S.%LZ", "2024-03-04T07:08:09.123Z"),
        ("%Y-%m-%dT%H:%M:%S.%L%Z", "2024-03-04T07:08:09.123+0000"),
        ("%d %B %Y, %-I:%M:%S.%L %p", "04 March 2024, 7:08:09.123 AM"),
        ("%a %b %e %H:%M:%S.%L %Y", "Mon Mar  4 07:08:09.123 2024"),
        ("%Q", "1709536089123"),
        ("%j of %Y %H:%M:%S.%L", "064 of 2024 07:08:09.123"),
        ("%m/%d/%y %H:%M:%S.%L", "03/04/24 07:08:09.123"),
        ("100%% %Y-%m-%d %H:%M:%S.%L", "100% 2024-03-04 07:08:09.123"),
    ],
)
def test_times_are_written_and_read_as_the_editor_does(written: str, text: str) -> None:
    assert format_time(MOMENT, written) == text
    assert parse_time(text, written) == MOMENT
    assert parse_times([text] * 3, written).tolist() == [MOMENT] * 3


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        pytest.param("%Y-%m-%d", "2024-3-4", MARCH_4, id="no zeros"),
        pytest.param("%Y-%m-%d", "2024-02-33", MARCH_4, id="a day beyond the month"),
        pytest.param("%s", "1709510400", MARCH_4, id="seconds"),
        pytest.param("%Y-%m-%d %H%Z", "2024-03-04 02+0200", MARCH_4, id="another time zone"),
        pytest.param("%Y-%m-%d %I %p", "2024-03-04 12 AM", MARCH_4, id="midnight"),
        pytest.param("%x", "3/4/2024", MARCH_4, id="the locale's date"),
        pytest.param("%Y-%m-%d %S.%f", "2024-03-04 00.5", MARCH_4 + 500, id="half a second"),
        pytest.param("%Y-%m-%d %S.%f", "2024-03-04 00.1239", MARCH_4 + 123, id="finer is dropped"),
        pytest.param("%Y", "1970", 0.0, id="a year"),
        pytest.param("%y", "69", -31_536_000_000.0, id="the last century"),
        pytest.param("%Y-%m-%d", "2024-03-04 12", None, id="more than the format"),
        pytest.param("%Y-%m-%d", "soon", None, id="no date"),
        pytest.param("%Y-%m-%d", "", None, id="nothing"),
        pytest.param("%Y", "0000", None, id="a year that no calendar has"),
        pytest.param("%k", "7", None, id="a directive that d3 lacks"),
        pytest.param("%Y %U", "2024 09", None, id="weeks"),
    ],
)
def test_one_time(written: str, text: str, expected: float | None) -> None:
    assert parse_time(text, written) == expected
    [found] = parse_times([text], written)
    assert found == expected or (expected is None and np.isnan(found))


def test_one_wrong_time_among_many_is_no_time() -> None:
    found = parse_times(["2024-03-04", "2024x03x05", "2024-03-06"], "%Y-%m-%d")
    assert np.isnan(found).tolist() == [False, True, False]
    assert parse_times([], "%Y").tolist() == []


def test_the_unknown_directive_is_named() -> None:
    assert unknown_directive("%Y-%k") == "%k"
    assert unknown_directive("%Y-%m-%d %-H %% %c") is None
