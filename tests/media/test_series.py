"""Tables of series, as the editor reads them."""

import importlib.util
import math

import pytest

from shared.errors import DecodeError
from shared.media import series
from shared.media.series import WantedColumns, read_columns, read_series

ALL = WantedColumns()
NAN = math.nan


@pytest.fixture(params=["polars", "csv"])
def _reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with polars, where it is installed, and once without."""
    if request.param == "csv":
        monkeypatch.setattr(series, "find_spec", lambda name: None)
    elif importlib.util.find_spec("polars") is None:
        pytest.skip("polars is not installed")


def equal(found: object, expected: object) -> bool:
    return repr(found) == repr(expected)  # NaN is not equal to itself


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize(
    ("data", "separator", "expected"),
    [
        pytest.param(b"Time,A\n1,2\n3,4\n", ",", {"time": [1, 3], "a": [2, 4]}, id="header"),
        pytest.param(b"1,2\n3,4\n", ",", {"0": [1, 3], "1": [2, 4]}, id="no header"),
        pytest.param(b"t\tv\n1\t2\n", "tab", {"t": [1], "v": [2]}, id="tabs by name"),
        pytest.param(b"t\tv\n1\t2\n", "\\t", {"t": [1], "v": [2]}, id="tabs, escaped"),
        pytest.param(b"t;v\r\n1;2\r\n", ";", {"t": [1], "v": [2]}, id="Windows"),
        pytest.param(
            "t\u20acv\n1\u20ac2\n".encode(), "\u20ac", {"t": [1], "v": [2]}, id="no ASCII"
        ),
        pytest.param(b"t;v\n1;2\n", "auto", {"t": [1], "v": [2]}, id="found out"),
        pytest.param(b"\xef\xbb\xbft,v\n1,2\n", ",", {"t": [1], "v": [2]}, id="byte order mark"),
        pytest.param(b't,"v"\n1,"2.5"\n', ",", {"t": [1], "v": [2.5]}, id="quotes"),
        pytest.param(
            b"t,v\n1,\n2, 3 \n3,n/a\n", ",", {"t": [1, 2, 3], "v": [NAN, 3, NAN]}, id="gaps"
        ),
        pytest.param(b"t,v\n1,inf\n2,1e3\n", ",", {"t": [1, 2], "v": [NAN, 1000]}, id="infinite"),
        pytest.param(b"t,v\n\n1,2\n\n\n3,4", ",", {"t": [1, 3], "v": [2, 4]}, id="blank lines"),
        pytest.param(b"t,v\n1,2\n3", ",", {"t": [1, 3], "v": [2, NAN]}, id="cut off"),
        pytest.param(b"t,v\n1,2,\n3,4,\n", ",", {"t": [1, 3], "v": [2, 4]}, id="a comma too many"),
        pytest.param(b"t,v\r1,2\r3,4\r", ",", {"t": [1, 3], "v": [2, 4]}, id="lines of a Mac"),
        pytest.param(
            b't,v,w\n1,2,5" pipe\n3,4,x\n',
            ",",
            {"t": [1, 3], "v": [2, 4], "w": [NAN, NAN]},
            id="a quotation mark inside",
        ),
        pytest.param(b'{"T":[1,2],"v":[3,null]}', ",", {"t": [1, 2], "v": [3, NAN]}, id="JSON"),
    ],
)
def test_a_file(data: bytes, separator: str, expected: dict[str, list[float]]) -> None:
    table = read_series(data, separator, ALL)
    found = {name: column.tolist() for name, column in table.numbers.items()}
    assert equal(found, {name: [float(one) for one in column] for name, column in expected.items()})


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "The series is empty", id="nothing"),
        pytest.param(b"t,v\n1,2\n1,2,3\n", "Row 3 of the series has 3 values", id="too wide"),
        pytest.param(b"t;v\n1;2\n", 'no separator ","', id="another separator"),
        pytest.param(b"t,v\n\xff,2\n1,2\n", "no UTF-8", id="another encoding"),
        pytest.param("t,v\n1,2\n".encode("utf-16"), "is UTF-16 text", id="UTF-16"),
        pytest.param(
            b't,v\n1,2\n"3,4\n5,6\n', "mark in line 3 of the series is not closed", id="quotes"
        ),
        pytest.param(
            b't,v\n1,"2\n' + b"3,4\n" * 50_000, "in line 2 of the series is not", id="long quotes"
        ),
        pytest.param(b"\x1f\x8b\x08" + bytes(9), "compressed by gzip; save it as CSV", id="gzip"),
        pytest.param(b"PK\x03\x04" + bytes(9), r"such as \.xlsx; save it as CSV", id="Excel"),
        pytest.param(b'{"t": [1', "begins like JSON", id="half a JSON"),
        pytest.param(b'{"t": [1], "v": [1, 2]}', 'differ in length: "t" 1, "v" 2', id="lengths"),
        pytest.param(b'{"t": 1}', "should be a list, found int", id="no list"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_series(data, ",", ALL)


@pytest.mark.usefixtures("_reader")
def test_columns_are_found_in_any_case_and_by_place() -> None:
    data = b"Time,A,B\n1,2,x\n3,4,y\n"
    table = read_series(data, ",", WantedColumns(("a", "0"), ("b",)))
    assert {name: column.tolist() for name, column in table.numbers.items()} == {
        "a": [2, 4],
        "time": [1, 3],
    }
    assert list(table.texts["b"]) == ["x", "y"]
    with pytest.raises(DecodeError, match='no column "speed"; it has "time", "a", "b"'):
        read_series(data, ",", WantedColumns(("speed",)))


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize("separator", ['"', "\n", "\r"])
def test_a_separator_that_cannot_be_one(separator: str) -> None:
    with pytest.raises(DecodeError, match="cannot stand between columns"):
        read_series(b"t\n1\n", separator, ALL)


@pytest.mark.usefixtures("_reader")
def test_names_in_messages_are_short() -> None:
    with pytest.raises(DecodeError) as caught:
        read_series(b"t" * 100_000 + b"\n1\n", ",", WantedColumns(("v",)))
    assert str(caught.value) == f'The series has no column "v"; it has "{"t" * 60}"'


def test_a_column_named_by_thousands_of_digits_is_missing() -> None:
    with pytest.raises(DecodeError, match='no column "9999'):
        read_series(b"t,v\n1,2\n", ",", WantedColumns(("9" * 5000,)))


@pytest.mark.usefixtures("_reader")
def test_a_series_that_is_too_long_is_refused() -> None:
    data = b"t,v\n" + b"1,2\n" * 100
    with pytest.raises(DecodeError, match="over 50 rows in 2 columns") as caught:
        read_series(data, ",", WantedColumns(max_cells=100))
    assert caught.value.cause == "too_large"


@pytest.mark.usefixtures("_reader")
def test_text_where_numbers_should_be_is_quoted() -> None:
    table = read_series(b"t,v\n1,high\n2,3\n3,low\n", ",", ALL)
    assert list(table.examples["v"]) == ["high", "low"]


def test_columns_of_a_task() -> None:
    columns = {"Day": [2020, "2021"], "v": ["1.5", True]}
    table = read_columns(columns, WantedColumns(("v",), ("day",)))
    assert table.numbers["v"].tolist() == [1.5, 1.0]
    assert list(table.texts["day"]) == ["2020", "2021"]
