import json
import shutil
import subprocess
import time
from typing import Any

import pytest

from shared.label_studio import javascript
from shared.label_studio.javascript import UNDEFINED

DATA: dict[str, Any] = {
    "a": {"b": [{"c": 1}, "x"], "null": None},
    "a.b": "itself",
    "text": "héé🙂",
    "list": [[1, 2], [3]],
    "{x}": "braces",
    "": "empty",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", DATA["a"]),
        ("a.b", "itself"),
        ("a.b[0].c", 1),
        ("a.b.0.c", 1),
        ("a[b][1]", "x"),
        ("a.b[2]", UNDEFINED),
        ("a.b[01]", UNDEFINED),
        ("a.null", None),
        ("a.null.x", UNDEFINED),
        ("a.", DATA["a"]),
        ("a..b[1]", "x"),
        ("gone", UNDEFINED),
        ("gone.x", UNDEFINED),
        ("list[0][1]", 2),
        ("list.length", 2),
        ("text.length", 5),
        ("text[1]", "é"),
        ("{x}", "braces"),
        (".", "empty"),
    ],
)
def test_get(path: str, expected: Any) -> None:
    assert javascript.lookup_path(DATA, path) == expected


@pytest.mark.parametrize("name", ["1" * 5000, "0" * 5000, "٣", "²"])
@pytest.mark.parametrize("value", ["text", ["a"]])
def test_what_is_no_index(name: str, value: Any) -> None:
    """Python reads no number of more than 4300 digits."""
    assert javascript.lookup_path({"a": value}, f"a[{name}]") is UNDEFINED


@pytest.mark.parametrize("letter", ["x", "é", "🙂", "\ud800"])
def test_many_characters_of_one_text(letter: str) -> None:
    data, count = {"t": letter * 100_000}, 3000
    units = len((letter * 2).encode("utf-16-le", "surrogatepass")) // 4
    start = time.thread_time()
    found = [javascript.lookup_path(data, f"t[{place * units}]") for place in range(count)]
    assert time.thread_time() - start < 5
    first = letter.encode("utf-16-le", "surrogatepass")[:2]
    assert set(found) == {first.decode("utf-16-le", "surrogatepass")}
    assert javascript.lookup_path(data, f"t[{100_000 * units}]") is UNDEFINED


NUMBERS = [
    0, -0.0, 1, 1.0, -2.5, 0.1, 100.25, 12345678901234567890, 1e20, 1e21, 1.5e21, 1e-6, 1.5e-6,
    1e-7, 1.25e-7, 2**53 + 1, 1.7976931348623157e308, 5e-324, 123456.789, True, False,
]  # fmt: skip
SHOWN = [
    "0", "0", "1", "1", "-2.5", "0.1", "100.25", "12345678901234567000", "100000000000000000000",
    "1e+21", "1.5e+21", "0.000001", "0.0000015", "1e-7", "1.25e-7", "9007199254740992",
    "1.7976931348623157e+308", "5e-324", "123456.789", "true", "false",
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), list(zip(NUMBERS, SHOWN, strict=True)))
def test_numbers_as_text(value: float, expected: str) -> None:
    assert javascript.to_string(value) == expected


def test_numbers_as_node_writes_them() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = f"console.log(JSON.stringify({json.dumps(NUMBERS)}.map(String)))"
    shown = subprocess.run([node, "-e", script], capture_output=True, check=True).stdout
    assert json.loads(shown) == SHOWN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (None, "null"),
        (UNDEFINED, "undefined"),
        (["a", None, [1, 2.0]], "a,,1,2"),
        ([[], "a", [[]], [None, [True]]], ",a,,,true"),
        ([], ""),
        ({}, "[object Object]"),
    ],
    ids=repr,
)
def test_other_values_as_text(value: Any, expected: str) -> None:
    assert javascript.to_string(value) == expected


def test_lists_as_deep_as_can_be_as_text() -> None:
    value: Any = "x"
    for _ in range(10_000):
        value = ["a", value]
    assert javascript.to_string(value) == "a," * 10_000 + "x"


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [("SGk=", b"Hi"), ("SGk", b"Hi"), (" S G\nk = ", b"Hi"), ("", b""), ("+/8=", b"\xfb\xff")],
)
def test_atob(encoded: str, expected: bytes) -> None:
    assert javascript.decode_base64(encoded) == expected


@pytest.mark.parametrize("encoded", ["S", "SGk==", "SG=k", "-_8=", "é", "="])
def test_what_atob_refuses(encoded: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        javascript.decode_base64(encoded)
