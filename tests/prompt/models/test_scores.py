import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from backends.prompt.models.json_places import find_places, join_pointer
from backends.prompt.models.reply import Reply, Token
from backends.prompt.models.scores import score_by_agreement, score_by_tokens

ENUM = {"type": "string", "enum": ["Good", "Bad"]}
ENTITY = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "label": {"type": "string", "enum": ["Name"]}},
}


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def reply(*pieces: tuple[str, float], before: str = "") -> Reply:
    """A reply of tokens with these probabilities; `before` are tokens of another part."""
    tokens = [Token(before.encode(), 0.0)] if before else []
    tokens += [Token(text.encode(), math.log(p)) for text, p in pieces]
    return Reply("".join(text for text, _ in pieces), tokens)


@pytest.mark.parametrize(
    ("schema", "pieces", "scores"),
    [
        # the label's tokens alone: 0.5 · 0.8
        (
            object_of(mood=ENUM),
            [('{"mood": "', 0.1), ("Go", 0.5), ("od", 0.8), ('"}', 1.0)],
            {"/mood": 0.4},
        ),
        # a token that has more than the label in it counts as a whole
        (object_of(mood=ENUM), [('{"mood"', 0.1), (': "Bad"', 0.7), ("}", 0.1)], {"/mood": 0.7}),
        # the closing quote says that the label ends: 0.9 · 0.6
        (
            object_of(mood=ENUM),
            [('{"mood": "', 1.0), ("Bad", 0.9), ('"', 0.6), ("}", 0.1)],
            {"/mood": 0.54},
        ),
        (
            object_of(stars={"type": "integer"}, sure={"type": "boolean"}),
            [('{"stars": ', 0.1), ("4", 0.3), (', "sure": ', 0.1), ("true", 0.9), ("}", 0.1)],
            {"/stars": 0.3, "/sure": 0.9},
        ),
        # of a list: each label, and that it is these and no others (brackets and commas)
        (
            object_of(moods={"type": "array", "items": ENUM}),
            [('{"moods": ', 0.1), ("[", 1.0), ('"Bad"', 0.5), (",", 0.5), ('"Good"', 0.8),
             ("]", 0.5), ("}", 0.1)],
            {"/moods": 0.1, "/moods/0": 0.5, "/moods/1": 0.8},
        ),
        # a region's score is its label's
        (
            object_of(names={"type": "array", "items": ENTITY}),
            [('{"names": [{"quote": "', 0.1), ("Ann", 0.2), ('", "label": "', 0.1), ("Name", 0.75),
             ('"', 1.0), ("}]}", 0.1)],
            {"/names/0/label": 0.75, "/names/0": 0.75},
        ),
        # nothing is chosen in free text, and nothing says how sure a number with a fraction is
        (
            object_of(note={"type": "string"}, size={"type": "number"}),
            [('{"note": "hm", "size": 2.5}', 0.5)],
            {},
        ),
        # where there may be nothing, what there is has a score
        (
            object_of(mood={"anyOf": [ENUM, {"type": "null"}]}, other={"anyOf": [ENUM]}),
            [('{"mood": ', 0.1), ('"Bad"', 0.5), (', "other": ', 0.1), ("null", 0.9), ("}", 1.0)],
            {"/mood": 0.5},
        ),
        # names with characters that pointers write in their own way
        (object_of(**{"a/b~c": ENUM}), [('{"a/b~c":', 1.0), ('"Bad"', 0.5), ("}", 1.0)],
         {"/a~1b~0c": 0.5}),
    ],
    ids=[
        "label", "shared token", "closing quote", "numbers", "list", "region", "free text",
        "nothing", "pointer",
    ],
)  # fmt: skip
def test_probability_of_what_was_chosen(
    schema: Any, pieces: Sequence[tuple[str, float]], scores: dict[str, float]
) -> None:
    answer = reply(*pieces)
    found = score_by_tokens(answer, 0, json.loads(answer.text), schema)
    assert found == pytest.approx(scores)


def test_tokens_before_the_text_are_passed_over() -> None:
    answer = reply(('{"mood":"', 1.0), ("Bad", 0.5), ('"}', 1.0), before="<think>é</think>")
    found = score_by_tokens(answer, 0, {"mood": "Bad"}, object_of(mood=ENUM))
    assert found == pytest.approx({"/mood": 0.5})


def test_offsets_are_those_of_bytes() -> None:
    """A token may be part of a character: places are counted in bytes of UTF-8."""
    text = '{"a":"€","mood":"Bad"}'
    raw = text.encode()
    cut = raw.index(b"\xac")  # inside the sign
    start = raw.index(b"Bad")
    pieces = [raw[:cut], raw[cut:start], raw[start : start + 3], raw[start + 3 :]]
    tokens = [Token(piece, math.log(p)) for piece, p in zip(pieces, (0.1, 0.1, 0.5, 1.0))]  # noqa: B905
    schema = object_of(a={"type": "string"}, mood=ENUM)
    found = score_by_tokens(Reply(text, tokens), 0, json.loads(text), schema)
    assert found == pytest.approx({"/mood": 0.5})


@pytest.mark.parametrize("tokens", [(), (Token(b"other", -1.0),)], ids=["none", "of another text"])
def test_without_tokens_of_the_text_there_are_no_scores(tokens: Sequence[Token]) -> None:
    answer = Reply('{"mood": "Bad"}', tokens)
    assert score_by_tokens(answer, 0, {"mood": "Bad"}, object_of(mood=ENUM)) == {}


@pytest.mark.parametrize(
    ("samples", "best", "scores"),
    [
        ([{"a": "x"}] * 3, {"a": "x"}, {"/a": 1.0}),
        ([{"a": "x"}, {"a": "y"}, {"a": "y"}], {"a": "y"}, {"/a": 2 / 3}),
        ([{"a": "x"}, {"a": None}], {"a": "x"}, {"/a": 0.5}),
        # a list agrees whatever its order; an entry, wherever it is
        (
            [{"a": ["x", "y"]}, {"a": ["y", "x"]}, {"a": ["x"]}, {"a": []}],
            {"a": ["x", "y"]},
            {"/a": 0.5, "/a/0": 0.75, "/a/1": 0.5},
        ),
        (
            [{"s": [{"q": "Ann", "l": 1}]}, {"s": [{"l": 1, "q": "Ann"}, {"q": "Bob", "l": 1}]}],
            {"s": [{"q": "Ann", "l": 1}]},
            {"/s": 0.5, "/s/0": 1.0},
        ),
        # the sample is taken as a whole, so that it stays one that fits the schema
        (
            [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}],
            {"a": 1, "b": 2},
            {"/a": 2 / 3, "/b": 2 / 3},
        ),
    ],
    ids=["all", "majority", "nothing", "lists", "regions", "as a whole"],
)
def test_agreement_of_samples(samples: list[Any], best: Any, scores: dict[str, float]) -> None:
    found, agreement = score_by_agreement(samples)
    assert found == best
    assert agreement == pytest.approx(scores)


def test_places_of_values() -> None:
    text = ' {"a" : [1, {"b": "x,]}"}, []], "c": {} , "d":null}'
    places = find_places(text)
    shown = {pointer: text[start:end] for pointer, (start, end) in places.items()}
    assert shown == {
        "": text[1:],
        "/a": '[1, {"b": "x,]}"}, []]',
        "/a/0": "1",
        "/a/1": '{"b": "x,]}"}',
        "/a/1/b": '"x,]}"',
        "/a/2": "[]",
        "/c": "{}",
        "/d": "null",
    }


def test_pointer_is_escaped() -> None:
    assert join_pointer("/a", "b/c~d") == "/a/b~1c~0d"
    assert join_pointer("", 3) == "/3"


def test_answer_that_has_a_key_twice_at_any_depth_has_no_scores() -> None:
    text = f'{{"a": {"[" * 5000}{"]" * 5000}, "a": true}}'
    reply = Reply(text, (Token(text.encode(), -0.5),))
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}}
    assert score_by_tokens(reply, 0, {"a": True}, schema) == {}
