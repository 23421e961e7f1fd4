"""What orjson refuses is replaced, the rest is left as it is."""

import math
from typing import Any

import orjson
import pytest

from shared.label_studio.json_values import with_common_values


def nested(depth: int) -> Any:
    value: Any = "inside"
    for _ in range(depth):
        value = [value]
    return value


def test_common_values_are_the_same_object() -> None:
    value = {"a": [1, 2.5, None, True, "😀", 2**64 - 1, -(2**63)]}
    assert with_common_values(value) is value


@pytest.mark.parametrize(
    ("value", "replaced"),
    [
        ("ab\ud83dc", "ab\ufffdc"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ({"\ud800": [{"a": "\ud800"}]}, {"\ufffd": [{"a": "\ufffd"}]}),
        ([2**64, -(2**63) - 1], [2.0**64, -(2.0**63)]),
        ([10**400, -(10**400)], [math.inf, -math.inf]),
    ],
    ids=["half a pair", "halves in the wrong order", "key", "65 bits", "more than a float"],
)
def test_others_are_replaced(value: Any, replaced: Any) -> None:
    assert with_common_values(value) == replaced
    assert orjson.dumps(with_common_values(value))


@pytest.mark.parametrize("depth", [300, 100_000])
def test_too_deep(depth: int) -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        with_common_values(nested(depth))
