"""What is wrong with an answer is said by a JSON pointer, in words that a model understands."""

from typing import Any

import pytest

from backends.prompt.answer_schema import allow_null, check_answer, closed_object
from backends.prompt.answer_schema.keywords import list_of, one_of

MANY = [f"label {number}" for number in range(20)]
SCHEMA = closed_object(
    {
        "mood": allow_null(one_of(["Good", "Bad"])),
        "stars": one_of([1, 2, 3], "integer"),
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "a/b": list_of(one_of(["x", "y"])),
    }
)
GOOD = {"mood": None, "stars": 2, "share": 0.5, "day": "2024-05-03", "a/b": []}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({}, None, id="fits"),
        pytest.param({"share": 1}, None, id="a whole number is a number"),
        pytest.param({"stars": 2.0}, None, id="2.0 is a whole number"),
        pytest.param({"mood": "Great"}, '/mood: "Great" is none of "Good", "Bad"', id="enum"),
        pytest.param({"stars": 4}, "/stars: 4 is none of 1, 2, 3", id="number of an enum"),
        pytest.param({"stars": True}, "/stars: true is no integer", id="true is no number"),
        pytest.param({"share": float("nan")}, "/share: NaN is no number", id="not a number"),
        pytest.param({"share": -1}, "/share: -1 is less than 0", id="too small"),
        pytest.param({"share": 1.5}, "/share: 1.5 is more than 1", id="too large"),
        pytest.param(
            {"day": "May 3"},
            r'/day: "May 3" does not look like ^\d{4}-\d{2}-\d{2}$',
            id="another form",
        ),
        pytest.param({"a/b": ["x", "z"]}, '/a~1b/1: "z" is none of "x", "y"', id="in a list"),
        pytest.param({"a/b": "x"}, '/a~1b: "x" is no array', id="no list"),
        pytest.param(
            {"moods": "Good"},
            '/moods: is not asked for; did you mean "mood"?',
            id="key that is not asked for",
        ),
    ],
)
def test_problems(change: dict[str, Any], problem: str | None) -> None:
    assert check_answer(SCHEMA, {**GOOD, **change}) == ([problem] if problem else [])


def test_missing_keys() -> None:
    assert check_answer(SCHEMA, {"mood": "Good", "stars": 1, "share": 0}) == [
        "/day: is missing",
        "/a~1b: is missing",
    ]


@pytest.mark.parametrize("answer", [None, [], "text", 5])
def test_no_object_at_all(answer: Any) -> None:
    [problem] = check_answer(SCHEMA, answer)
    assert problem.startswith("/: ")
    assert problem.endswith("is no object")


def test_of_many_values_some_are_listed_and_the_nearest_one() -> None:
    [problem] = check_answer(one_of(MANY), "labell 19")
    assert problem.endswith('"label 9" and 10 more; did you mean "label 19"?')


def test_more_labels_than_an_enum_takes_are_not_listed() -> None:
    assert one_of([str(number) for number in range(501)]) == {"type": "string"}


def test_after_so_many_problems_nothing_is_looked_at() -> None:
    schema = {"type": "array", "items": {"type": "boolean"}}
    assert check_answer(schema, [1, True, 2, 3], most=2) == [
        "/0: 1 is no boolean",
        "/2: 2 is no boolean",
    ]
