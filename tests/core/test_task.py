from typing import Any

import pytest

from shared.errors import MissingKeyError, TaskError, ValueTypeError
from shared.label_config import ObjectTag
from shared.task import Task

TEXT = ObjectTag("Text", "t", "text")


def test_task() -> None:
    task = Task.parse({"id": 7, "data": {"text": "Hi"}, "annotations": []})
    assert (task.id, task.value(TEXT), task.text_value(TEXT)) == (7, "Hi", "Hi")


def test_task_without_id() -> None:
    assert Task.parse({"data": {}}).id is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "A task should be an object, found null"),
        ("text", "A task should be an object, found a string"),
        ([1], "A task should be an object, found a list"),
        (7, "A task should be an object, found a number"),
        (True, "A task should be an object, found a boolean"),
        ({}, 'A task should have an object under "data", found null'),
        ({"data": []}, 'A task should have an object under "data", found a list'),
        ({"data": "x"}, 'A task should have an object under "data", found a string'),
    ],
    ids=repr,
)
def test_no_task(raw: Any, message: str) -> None:
    with pytest.raises(TaskError) as caught:
        Task.parse(raw)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        pytest.param("a.b", {"a": {"b": 1}}, 1, id="path"),
        pytest.param("a.b", {"a.b": 2, "a": {"b": 1}}, 2, id="literal-key-first"),
        pytest.param("a.b.c", {"a": {"b": {"c": 3}}}, 3, id="deep-path"),
        pytest.param("a", {"a": ""}, "", id="empty-text"),
        pytest.param("a", {"a": 0}, 0, id="zero"),
        pytest.param("a", {"a": []}, [], id="empty-list"),
    ],
)
def test_value(key: str, data: dict[str, Any], expected: Any) -> None:
    assert Task(1, data).value(ObjectTag("Text", "t", key)) == expected


@pytest.mark.parametrize(
    ("key", "data", "state"),
    [
        ("text", {"txt": 1, "b": 2}, 'missing in the task\'s data, but Text "t" shows it'),
        ("text", {}, "(the data has nothing)"),
        ("text", {"text": None}, '"text" is null'),
        ("a.b", {"a": {}}, '"a.b" is missing'),
        ("a.b", {"a": "text"}, '"a.b" is missing'),
        ("a.b", {"a": [1]}, '"a.b" is missing'),
    ],
)
def test_missing_key_is_named(key: str, data: dict[str, Any], state: str) -> None:
    with pytest.raises(MissingKeyError) as caught:
        Task(1, data).value(ObjectTag("Text", "t", key))
    assert state in str(caught.value)
    assert all(f'"{name}"' in str(caught.value) for name in data)


def test_message_stays_short() -> None:
    with pytest.raises(MissingKeyError) as caught:
        Task(1, {f"column {number}": 1 for number in range(5000)}).value(TEXT)
    assert len(str(caught.value)) < 500


def test_value_of_a_tag_that_shows_a_literal() -> None:
    assert Task(1, {}).value(ObjectTag("Text", "t", None, {"value": "Fixed"})) == "Fixed"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, "a number"), (1.5, "a number"), (True, "a boolean"), ([], "a list"), ({}, "an object")],
)
def test_text_value_of_another_type(value: Any, kind: str) -> None:
    with pytest.raises(ValueTypeError) as caught:
        Task(1, {"text": value}).text_value(TEXT)
    assert str(caught.value) == f'"text" should be a string for Text "t", found {kind}'
