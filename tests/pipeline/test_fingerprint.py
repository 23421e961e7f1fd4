from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from shared.backend.passages import Passages
from shared.media.image import Image
from shared.pipeline.output_cache import fingerprint, size_of


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True, eq=False)
class Thing:
    name: str
    more: Any = None


class Opaque:
    pass


PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

SAME = [
    ("a", "a"),
    ("\ud83d", "\ud83d"),
    (Pair(1, "a"), Pair(1, "a")),
    (Thing("a", {"b": [1.5, None]}), Thing("a", {"b": [1.5, None]})),
    (PIXELS, PIXELS.copy()),
    (np.asfortranarray(PIXELS), PIXELS),
    (Image(PIXELS, "d1"), Image(PIXELS[:1], "d1")),
    ([(None, Image(PIXELS, "d1"))], [(None, Image(PIXELS, "d1"))]),
    (Image(PIXELS), Image(PIXELS.copy())),
    (Passages.from_html("<p>Hello</p>"), Passages.from_html("<p>Hello</p>")),
    (np.zeros((0, 3)), np.zeros((0, 3))),
]

OTHER = [
    ("a", "b"),
    ("a", b"a"),
    ("", None),
    (1, 1.0),
    (1, True),
    ("1", 1),
    (["ab", "c"], ["a", "bc"]),
    ([["a"], "b"], [["a", "b"]]),
    ((1, 2), [1, 2]),
    (Pair(1, 2), (1, 2)),
    (Thing("a"), Thing("a", "b")),
    ({"a": "b"}, {"a": "c"}),
    (PIXELS, PIXELS + 1),
    (PIXELS, PIXELS.reshape(2, 6)),
    (PIXELS, PIXELS.astype(np.int8)),
    (Image(PIXELS, "d1"), Image(PIXELS, "d2")),
    (Image(PIXELS), Image(PIXELS + 1)),
    (Passages.from_html("<p>Hello</p>"), Passages.from_html("<b>Hello</b>")),
    (np.zeros((0, 3)), np.zeros((3, 0))),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=repr)
def test_same_content(one: Any, other: Any) -> None:
    assert fingerprint(one) == fingerprint(other)
    assert len(fingerprint(one) or b"") == 16


@pytest.mark.parametrize(("one", "other"), OTHER, ids=repr)
def test_other_content(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("item", [Opaque(), [Opaque()], Thing("a", Opaque()), np.array([Opaque()])])
def test_content_that_cannot_be_told(item: Any) -> None:
    assert fingerprint(item) is None


class Slotted:
    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


BIG = 1_000_000


@pytest.mark.parametrize(
    ("output", "least"),
    [
        ("x" * BIG, BIG),
        (np.zeros(BIG, np.uint8), BIG),
        (np.zeros(2 * BIG, np.uint8)[:3], 2 * BIG),
        ({"key": [np.zeros(BIG, np.uint8)]}, BIG),
        (Thing("a", np.zeros(BIG, np.uint8)), BIG),
        (Pair(np.zeros(BIG, np.uint8), np.zeros(BIG, np.uint8)), 2 * BIG),
        (Slotted(np.zeros(BIG, np.uint8)), BIG),
    ],
    ids=["text", "array", "view", "nested", "dataclass", "tuple", "slots"],
)
def test_size_counts_what_is_held(output: Any, least: int) -> None:
    assert least <= size_of(output) < least * 1.01


def test_size_counts_each_thing_once() -> None:
    array = np.zeros(BIG, np.uint8)
    loop: list[Any] = [array, array, array[:5]]
    loop.append(loop)
    assert BIG <= size_of(loop) < BIG * 1.01
