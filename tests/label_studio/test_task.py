import time
from typing import Any

import pytest

from shared.errors import MissingKeyError, TaskError, ValueTypeError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.label_studio.variables import key_of, unreadable_key

TEXT = ObjectTag("Text", "t", "text")
IMAGE = ObjectTag("Image", "t", "image", {"value": "$image"})


def test_task() -> None:
    task = Task.parse({"id": 7, "data": {"text": "Hi"}, "annotations": []})
    assert (task.id, task.object_value(TEXT), task.text_value(TEXT)) == (7, "Hi", "Hi")


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
    assert Task(1, data).object_value(ObjectTag("Text", "t", key)) == expected


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
        Task(1, data).object_value(ObjectTag("Text", "t", key))
    assert state in str(caught.value)
    assert all(f'"{name}"' in str(caught.value) for name in data)


def test_message_stays_short() -> None:
    with pytest.raises(MissingKeyError) as caught:
        Task(1, {f"column {number}": 1 for number in range(5000)}).object_value(TEXT)
    assert len(str(caught.value)) < 500


def test_value_of_a_tag_that_shows_a_literal() -> None:
    assert Task(1, {}).object_value(ObjectTag("Text", "t", None, {"value": "Fixed"})) == "Fixed"


@pytest.mark.parametrize(
    ("value", "kind"),
    [([], "a list"), ({}, "an object")],
)
def test_text_value_of_another_type(value: Any, kind: str) -> None:
    with pytest.raises(ValueTypeError) as caught:
        Task(1, {"text": value}).text_value(TEXT)
    assert str(caught.value) == f'"text" should be a string for Text "t", found {kind}'


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345, "12345"), (1.0, "1"), (1e21, "1e+21"), (True, "true"), (False, "false"), (0, "0")],
)
def test_numbers_and_booleans_are_texts_as_the_editor_shows_them(value: Any, shown: str) -> None:
    assert Task(1, {"text": value}).text_value(TEXT) == shown


@pytest.mark.parametrize("value", [7, True])
def test_a_number_is_no_address(value: Any) -> None:
    with pytest.raises(ValueTypeError, match="should be a string for Image"):
        Task(1, {"image": value}).text_value(IMAGE)


def tag(written: str, kind: str = "Text", **attrs: str) -> ObjectTag:
    return ObjectTag(kind, "t", key_of(written), {"value": written, **attrs})


JOINED: dict[str, tuple[str, dict[str, Any], Any]] = {
    "two keys": ("$first: $second", {"first": "Ann", "second": "left"}, "Ann: left"),
    "text before": ("From: $who", {"who": "Laura"}, "From: Laura"),
    "blank before": (" $who", {"who": "Laura"}, " Laura"),
    "index": ("$people[1].name", {"people": [{}, {"name": "Bo"}]}, "Bo"),
    "index in a text": ("Hi $people[0]!", {"people": ["Al"]}, "Hi Al!"),
    "dot behind a key": ("$who. $what", {"who": "Ann", "what": "left"}, "Ann left"),
    "number": ("No. $n", {"n": 1.0}, "No. 1"),
    "boolean": ("$yes?", {"yes": True}, "true?"),
    "list": ("Tags: $tags", {"tags": ["a", 1, None]}, "Tags: a,1,"),
    "the key itself first": ("$a.b!", {"a.b": "x", "a": {"b": "y"}}, "x!"),
    "hyphen ends a key": ("$my-key", {"my": "x", "my-key": "y"}, "x-key"),
    "no key": ("It costs 5 $", {}, "It costs 5 $"),
    "whole list": ("$items", {"items": [1]}, [1]),
}


@pytest.mark.parametrize("case", JOINED)
def test_values_are_resolved_as_the_editor_does(case: str) -> None:
    written, data, expected = JOINED[case]
    assert Task(1, data).object_value(tag(written)) == expected


UNSEEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "one of two is missing": ("$a: $b", {"a": "x"}, '"b" is missing in the task\'s data, but Text'),
    "one of two is null": ("$a: $b", {"a": "x", "b": None}, '"b" is null'),
    "no such index": ("$a[3]", {"a": ["x"]}, '"a[3]" is missing'),
    "hyphen": (
        "$my-key",
        {"my-key": "x"},
        '"my-key" cannot be shown by Text "t": the editor reads',
    ),
    "blank": ("$my key", {"my key": "x"}, '"my key" cannot be shown'),
    "cyrillic": ("$ключ", {"ключ": "x"}, '"ключ" cannot be shown'),
    "after another": ("$a: $b-c", {"a": "x", "b-c": "y"}, '"b-c" cannot be shown'),
    "object": ("From: $who", {"who": {"name": "x"}}, '"who" is an object, which the editor cannot'),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_what_the_editor_cannot_show_is_said(case: str) -> None:
    written, data, words = UNSEEN[case]
    with pytest.raises((MissingKeyError, ValueTypeError)) as caught:
        Task(1, data).object_value(tag(written))
    assert words in str(caught.value)


@pytest.mark.parametrize("value", ["", "  ", "\n"])
@pytest.mark.parametrize("target", [IMAGE, tag("$image", valueType="url")], ids=str)
def test_an_empty_address_is_named(target: ObjectTag, value: str) -> None:
    with pytest.raises(MissingKeyError, match='"image" is empty in the task'):
        Task(1, {"image": value}).text_value(target)


def test_an_empty_text_is_a_text() -> None:
    assert Task(1, {"text": ""}).text_value(TEXT) == ""


def test_a_list_in_the_place_of_one_image() -> None:
    with pytest.raises(ValueTypeError) as caught:
        Task(1, {"image": ["a.png", "b.png"]}).media_addresses(IMAGE)
    assert 'found a list: of several images write valueList="$image"' in str(caught.value)
    assert Task(1, {"image": ["a.png"]}).media_addresses(IMAGE) == [(None, "a.png")]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([{"url": "a.png"}], "a list of objects: write each image's address as a string"),
        ([{"url": "a.png"}, {}], "a list of objects: "),
        ([1], "a list of numbers: "),
        (["a.png", None], "a list of other values than strings: "),
    ],
)
def test_a_list_of_other_values_in_the_place_of_an_image(value: Any, found: str) -> None:
    with pytest.raises(ValueTypeError) as caught:
        Task(1, {"image": value}).text_value(IMAGE)
    assert f"found {found}" in str(caught.value)
    assert 'valueList="$image"' in str(caught.value)


def test_a_list_of_objects_in_the_place_of_images() -> None:
    target = ObjectTag("Image", "im", "pages", {"valueList": "$pages"})
    with pytest.raises(ValueTypeError) as caught:
        Task(1, {"pages": ["a.png", {"url": "b.png"}]}).media_addresses(target)
    assert str(caught.value).startswith('"pages" should be a list of strings for Image "im"')
    assert str(caught.value).endswith("found an object at place 1")


def test_an_image_with_both_shows_its_list() -> None:
    both = {"value": "$one", "valueList": "$pages"}
    target = ObjectTag("Image", "im", key_of("$pages"), both)
    data = {"one": "0.png", "pages": ["a.png", "b.png"]}
    assert Task(1, data).media_addresses(target) == [(0, "a.png"), (1, "b.png")]


def test_a_text_with_a_list_however_deep_is_shown() -> None:
    who: Any = "Bob"
    for _ in range(2000):
        who = [who]
    assert Task(1, {"who": who}).object_value(
        ObjectTag("Text", "t", None, {"value": "From: $who"})
    ) == ("From: Bob")


def test_unreadable_keys_are_looked_up_however_many_there_are() -> None:
    data = {f"-{number}": "x" for number in range(5000)} | {"-key-": "x", "-key": "x"}
    start = time.thread_time()
    assert unreadable_key("$-" * 9000, data) is None
    assert unreadable_key("$-key-" * 9000, data) == "-key-"
    assert unreadable_key("$-" * 50 + "$-4999", data) == "-4999"
    assert time.thread_time() - start < 3
