"""Chats, lists and tables, as text."""

from typing import Any

import pytest
from PIL import Image as Pillow

from shared.backend import DecodeError, UnfillableError, ValueTypeError
from shared.errors import MissingKeyError, TaskError
from shared.results import ChatMessage
from tests.prompt.content.shown import data_url, encoded, pictures, read, texts

CHAT = '<Chat name="chat" value="$v"/><Rating name="r" toName="chat"/>'
LIST = '<List name="list" value="$v"/><Ranker name="r" toName="list"/>'
TABLE = '<Table name="table" value="$v"/><Rating name="r" toName="table"/>'


def test_a_chat_is_a_line_for_each_message() -> None:
    said = [
        {"role": "user", "content": "Hi", "createdAt": 1757612212681},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    ]
    content = read(CHAT, {"v": said})
    assert texts(content) == ['user: Hi\nassistant: [{"type":"text","text":"Hello"}]']
    assert content.sources["chat"] == (
        ChatMessage("user", "Hi", 1757612212681),
        ChatMessage("assistant", '[{"type":"text","text":"Hello"}]'),
    )
    assert texts(read(CHAT, {"v": []})) == ["(no message yet)"]


def test_a_chat_that_annotators_extend_is_shown_too() -> None:
    content = read('<Chat name="chat" value="$v" toName="chat"/>', {"v": [{"role": "user"}]})
    assert texts(content) == ["user: "]


def test_items_of_a_list_come_with_their_ids() -> None:
    items = [
        {"id": 1, "title": "First", "body": "Text of it"},
        {"id": "b", "html": "<p>Some <i>words</i></p>"},
    ]
    content = read(LIST, {"v": items})
    assert texts(content) == [
        'Item with the id "1":\nFirst\nText of it',
        'Item with the id "b":\nSome words',
    ]
    assert content.sources["list"] == ("1", "b"), "ids are texts, as in the editor"


def test_pictures_of_a_list_follow_their_item() -> None:
    red = encoded(Pillow.new("RGB", (40, 20), "red"))
    items = [{"id": "a", "html": f'<div><img alt="" src="{red}"></div>'}, {"id": "b", "body": "-"}]
    content = read(LIST, {"v": items})
    assert [type(part).__name__ for part in content.parts] == ["TextPart", "ImagePart", "TextPart"]
    assert pictures(content)[0].size == (40, 20)
    with pytest.raises(UnfillableError, match='List "list" shows pictures'):
        read(LIST, {"v": items}, modalities=frozenset({"text"}))


RECORDS = [{"a": 1, "b": "|"}, {"a": None, "c": {"d": 1}}]


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (RECORDS, ["| a | b | c |", "| --- | --- | --- |", "| 1 | \\| |  |", '|  |  | {"d":1} |']),
        ({"b": 2, "A": "é"}, ["| Name | Value |", "| --- | --- |", "| A | é |", "| b | 2 |"]),
        ('{"A": true}', ["| Name | Value |", "| --- | --- |", "| A | true |"]),
        ([["\ud800"]], ["| Name | Value |", "| --- | --- |", '| 0 | ["\ud800"] |']),
        (["x", 2], ["| Name | Value |", "| --- | --- |", "| 0 | x |", "| 1 | 2 |"]),
        ([], ["| Name | Value |", "| --- | --- |"]),
    ],
    ids=["records", "object", "JSON text", "half a character", "list", "empty"],
)  # fmt: skip
def test_tables_of_json(value: Any, rows: list[str]) -> None:
    assert texts(read(TABLE, {"v": value})) == ["\n".join(rows)]


@pytest.mark.parametrize(
    ("kind", "text", "rows"),
    [
        ("csv", 'a,b\n1,"two, three"\n', ["| a | b |", "| --- | --- |", "| 1 | two, three |"]),
        ("csv|separator=;", "a;b\n1;2", ["| a | b |", "| --- | --- |", "| 1 | 2 |"]),
        ("csv|headless", "1,2\n3,4", ["| 0 | 1 |", "| --- | --- |", "| 1 | 2 |", "| 3 | 4 |"]),
        ("csv", "a,b\n1,2,3", ["| a | b |  |", "| --- | --- | --- |", "| 1 | 2 | 3 |"]),
    ],
    ids=["quoted", "semicolon", "headless", "ragged"],
)
def test_tables_of_csv(kind: str, text: str, rows: list[str]) -> None:
    xml = TABLE.replace('value="$v"', f'value="$v" valueType="{kind}"')
    assert texts(read(xml, {"v": text})) == ["\n".join(rows)]
    at_address = xml.replace(kind, f"{kind}|url")
    address = data_url(text.encode(), "text/csv")
    assert texts(read(at_address, {"v": address})) == ["\n".join(rows)]


def test_long_tables_say_what_is_left_out() -> None:
    [text] = texts(read(TABLE, {"v": [{"n": n} for n in range(5)]}, rows=2))
    assert text.splitlines()[2:] == ["| 0 |", "| 1 |", "(3 more rows are not shown)"]


@pytest.mark.parametrize(
    ("xml", "value", "error", "words"),
    [
        (CHAT, "user: hi", ValueTypeError, 'list of objects for Chat "chat", found a string'),
        (CHAT, [{"role": "user"}, 3], ValueTypeError, "found a number at place 1"),
        (LIST, [{"title": "x"}], ValueTypeError, 'Item 0 of "v" has no "id"'),
        (LIST, [], MissingKeyError, '"v" is empty'),
        (LIST, [{"id": 1, "html": '<img src="data:,broken">'}], DecodeError, "Not a readable"),
        (TABLE, "not json", DecodeError, "is not JSON"),
        (TABLE, 3, ValueTypeError, "an object or a list"),
        (TABLE.replace('"$v"', '"$v" valueType="csv"'), [1], ValueTypeError, 'valueType="csv"'),
        (TABLE.replace('"$v"', '"$v" valueType="csv|separator=ab"'), "a", DecodeError, "CSV"),
    ],
    ids=["chat", "mixed chat", "no id", "empty list", "picture", "JSON", "number", "CSV", "mark"],
)  # fmt: skip
def test_what_cannot_be_read(xml: str, value: Any, error: type[TaskError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(xml, {"v": value})
