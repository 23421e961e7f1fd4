import base64

import pytest

from shared.backend.passages import Passages
from shared.errors import DecodeError
from shared.label_studio.encoded_text import decode_text, encode_text
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.settings import Settings


def tag(encoding: str | None, kind: str = "Text", **attrs: str) -> ObjectTag:
    said = {} if encoding is None else {"encoding": encoding}
    return ObjectTag(kind, "t", "text", {"value": "$text", **said, **attrs})


def base64_of(text: str, characters: str = "utf-8") -> str:
    return base64.b64encode(text.encode(characters)).decode()


@pytest.mark.parametrize("kind", ["Text", "HyperText"])
@pytest.mark.parametrize(
    ("encoding", "value", "shown"),
    [
        pytest.param(None, "SGk=", "SGk=", id="none-said"),
        pytest.param("none", "SGk=", "SGk=", id="none"),
        pytest.param("base64", "SGk=", "Hi", id="base64"),
        pytest.param("base64", base64_of("Zoë", "latin-1"), "Zoë", id="latin-1"),
        pytest.param("base64", base64_of("Zoë"), "ZoÃ«", id="as-the-editor-shows-utf-8"),
        pytest.param("base64unicode", base64_of("Zoë 🙂"), "Zoë 🙂", id="base64unicode"),
    ],
)
def test_texts_are_read_as_the_editor_shows_them(
    kind: str, encoding: str | None, value: str, shown: str
) -> None:
    assert decode_text(value, tag(encoding, kind)) == shown


def test_other_tags_have_no_such_attribute() -> None:
    assert decode_text("SGk=", tag("base64", "Paragraphs")) == "SGk="


@pytest.mark.parametrize(
    ("encoding", "value", "words"),
    [
        ("base64", "Laura met Paul.", 'is not base64, but the tag says encoding="base64"'),
        ("base64unicode", base64_of("Zoë", "latin-1"), "is not UTF-8 in base64"),
    ],
)
def test_what_the_editor_cannot_decode_is_said(encoding: str, value: str, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_text(value, tag(encoding))
    assert words in str(caught.value)


def test_files_of_texts_are_encoded_for_the_editor() -> None:
    for encoding in (None, "base64", "base64unicode"):
        assert decode_text(encode_text("Zoë", tag(encoding)), tag(encoding)) == "Zoë"
    with pytest.raises(DecodeError, match='write encoding="base64unicode"'):
        encode_text("Kyjiw: Київ", tag("base64"))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [("Text", "Laura left.", "Laura left."), ("HyperText", "<p>Hi <b>Bo</b></p>", "Hi Bo")],
)
def test_a_model_reads_what_is_shown(kind: str, text: str, expected: str) -> None:
    media = MediaReader(Settings())
    there = Task(1, {"text": base64_of(text)})
    assert Passages.read(there, tag("base64", kind), media).text == expected
    by_address = Task(1, {"text": f"data:,{base64_of(text)}"})
    found = Passages.read(by_address, tag("base64", kind, valueType="url"), media)
    assert found.text == expected
    media.close()
