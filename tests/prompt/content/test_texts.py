"""Texts as a model reads them, and the passages in which its quotes are found."""

from typing import Any

import pytest

from shared.backend import Passages, ValueTypeError
from shared.errors import FetchError, MissingKeyError, TaskError
from tests.prompt.content.shown import data_url, read, texts

TEXT = '<Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="a"/></Choices>'
HYPER = '<HyperText name="t" value="$text"/><Rating name="c" toName="t"/>'
DIALOGUE = (
    '<Paragraphs name="t" value="$text" nameKey="who" textKey="said"/><Rating name="c" toName="t"/>'
)


@pytest.mark.parametrize(
    ("xml", "value", "shown"),
    [
        (TEXT, "Two\nlines", "Two\nlines"),
        (TEXT, 42, "42"),
        (HYPER, "<h1>Bob</h1><p>One <b>two</b></p>", "Bob\nOne two"),
        (HYPER, "<p>seen</p><script>unseen()</script>", "seen"),
        (DIALOGUE, [{"who": "Ann", "said": "Hi"}, {"said": "?"}], "Ann: Hi\n?"),
        (DIALOGUE, [], ""),
    ],
    ids=["text", "number", "blocks", "script", "dialogue", "silence"],
)
def test_what_is_read(xml: str, value: Any, shown: str) -> None:
    content = read(xml, {"text": value})
    assert texts(content) == [shown]
    assert isinstance(content.sources["t"], Passages)


def test_a_text_at_an_address() -> None:
    xml = TEXT.replace("$text", '$text" valueType="url')
    address = data_url("späte Äpfel".encode(), "text/plain")
    assert texts(read(xml, {"text": address})) == ["späte Äpfel"]


@pytest.mark.parametrize(
    ("xml", "value", "error", "words"),
    [
        (TEXT, None, MissingKeyError, '"text" is null'),
        (TEXT, {"a": 1}, ValueTypeError, "should be a string"),
        (DIALOGUE, "Ann: Hi", ValueTypeError, "should be a list of objects"),
        (DIALOGUE, [{"said": 3}], ValueTypeError, '"said" of paragraph 0'),
    ],
    ids=["null", "object", "not a list", "number said"],
)
def test_what_cannot_be_shown(xml: str, value: Any, error: type[TaskError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(xml, {"text": value})


def test_object_tags_come_in_the_order_of_the_label_config() -> None:
    xml = '<Text name="b" value="$two"/><Text name="a" value="Rate it:"/>' + TEXT
    content = read(xml, {"text": "1", "two": "2"})
    assert [(part.name, part.text) for part in content.parts] == [  # type: ignore[union-attr]
        ("b", "2"),
        ("a", "Rate it:"),
        ("t", "1"),
    ]


def test_an_object_tag_that_nothing_is_asked_about_may_lack_its_data() -> None:
    content = read(f'<Text name="extra" value="$extra"/>{TEXT}', {"text": "here"})
    assert texts(content) == ["here"]
    [why] = content.omitted
    assert why.startswith('Text "extra" is left out: "extra" is missing')


def test_addresses_stay_closed() -> None:
    xml = TEXT.replace("$text", '$text" valueType="url')
    with pytest.raises(FetchError, match="private"):
        read(xml, {"text": "http://127.0.0.1:9/secret.txt"})
