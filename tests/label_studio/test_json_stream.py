"""Streams of JSON values, wherever the stretches of the text end."""

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.label_studio import json_stream
from shared.label_studio.json_stream import JsonStream, JsonSyntaxError, dump_line, load_line

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


QUICK = settings(max_examples=50, deadline=None)


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._size)


@QUICK
@given(
    st.lists(VALUES), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans(), st.booleans()
)
def test_items_are_those_of_the_list(
    values: list[Any], size: int, indent: int | None, ascii_only: bool, sorted_keys: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    data = text.encode("utf-8", "surrogatepass" if ascii_only else "replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "READ_BYTES", size)
        found = list(JsonStream(Dripping(data, size)).list_items())
    assert [value for _, value, _ in found] == json.loads(data)
    starts = [line for line, _, _ in found]
    assert starts == sorted(starts)
    assert all(1 <= line <= text.count("\n") + 1 for line in starts)


@QUICK
@given(st.lists(VALUES), st.integers(1, 40))
def test_values_one_after_the_other(values: list[Any], size: int) -> None:
    data = "\n".join(json.dumps(value) for value in values).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "READ_BYTES", size)
        found = list(JsonStream(Dripping(data, size)).successive_values())
    assert [value for _, value, _ in found] == values


@QUICK
@given(st.lists(VALUES, min_size=1), st.data())
def test_list_that_is_cut_off(values: list[Any], data: st.DataObject) -> None:
    """What is whole comes first; then an error, and never anything else."""
    text = json.dumps(values).encode()
    end = data.draw(st.integers(1, len(text) - 1))
    found, message = until_broken(io.BytesIO(text[:end]))
    assert message
    assert found[:-1] == values[: max(len(found) - 1, 0)]


def until_broken(file: io.BufferedIOBase) -> tuple[list[Any], str]:
    """The items before the list breaks off, and what is said then."""
    found: list[Any] = []
    try:
        for _, value, _ in JsonStream(file).list_items():
            found.append(value)
    except JsonSyntaxError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('[1,\n\n  {"a" 2}]', 3, 8),
        ('[\n1,\n{"b": tru}]', 3, 7),
        ("[1, 2", 1, 6),
        ("[1\n 2]", 2, 2),
        ("[1] x", 1, 5),
        ('["a\nb"]', 1, 4),
        ("{}", 1, 1),
        ("", 1, 1),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_place_of_what_is_wrong(
    text: str, line: int, column: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "READ_BYTES", size)
    with pytest.raises(JsonSyntaxError, match=rf"\(line {line}, column {column}\)$") as raised:
        list(JsonStream(Dripping(text.encode(), size)).list_items())
    assert raised.value.line == line


def test_value_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARACTERS", 5000)
    monkeypatch.setattr(json_stream, "READ_BYTES", 100)
    with pytest.raises(JsonSyntaxError, match="One value has more than 5000 characters"):
        list(JsonStream(io.BytesIO(b'[["' + b"a" * 50_000)).list_items())


def test_gzip_that_breaks_off_gives_what_came_before() -> None:
    values = [{"number": number} for number in range(10_000)]
    packed = gzip.compress(json.dumps(values).encode())
    file = gzip.GzipFile(fileobj=io.BytesIO(packed[:-1000]))
    found, message = until_broken(file)
    assert "the rest of the file cannot be read" in message
    assert len(found) > 5000
    assert found == values[: len(found)]


@QUICK
@given(VALUES)
def test_lines_come_back(value: Any) -> None:
    line = dump_line(value)
    assert line.count(b"\n") == 1
    assert load_line(line) == json.loads(json.dumps(value))


def test_an_endless_integer_costs_only_its_item() -> None:
    text = f'[{{"a": 1}}, {{"a": {"9" * 5000}}}, {{"a": {"8" * 4000}}}]'
    found = list(JsonStream(io.BytesIO(text.encode())).list_items())
    assert [fault for _, _, fault in found] == [
        "",
        "a number has 5000 digits, more than can be read",
        "",
    ]
    assert found[2][1] == {"a": int("8" * 4000)}


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\udfff": [1]}'])
def test_half_surrogates_are_escaped(text: str) -> None:
    assert json.loads(dump_line(load_line(text.encode()))) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", '{"a": Infinity}', '"\\ud800" NaN', '["\\ud800", NaN]']
)
def test_line_that_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"Not JSON|not a JSON number|Extra data"):
        load_line(text.encode())
