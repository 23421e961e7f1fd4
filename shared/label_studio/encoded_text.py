"""Texts of tasks: inline or at an address, plain or encoded (the attribute `encoding`)."""

import base64

from shared.errors import DecodeError, FetchError
from shared.label_studio import javascript
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.tags import TEXT_TAGS
from shared.label_studio.task import Task
from shared.media.address import is_plain_text
from shared.media.reader import LocalPath, MediaReader

# How the bytes of each encoding are characters: the editor takes plain base64 for Latin-1.
CHARSETS = {"base64": "latin-1", "base64unicode": "utf-8"}


def decode_text(text: str, target: ObjectTag) -> str:
    """Return the text as the editor shows it; DecodeError where the editor would show none."""
    encoding = _encoding_of(target)
    if encoding is None:
        return text
    try:
        return javascript.decode_base64(text).decode(CHARSETS[encoding])
    except UnicodeDecodeError:
        wrong = "is not UTF-8 in base64"
    except ValueError:
        wrong = "is not base64"
    raise DecodeError(
        f'What {target} shows {wrong}, but the tag says encoding="{encoding}":'
        " encode the text, or leave the attribute out",
        cause="wrong_encoding",
    )


def read_text(task: Task, target: ObjectTag, media: MediaReader) -> str:
    """Return the text that a tag shows: the task's own, or with `valueType="url"` an address's.

    Either is decoded if the tag says `encoding`. TaskError says what the editor could not show.
    """
    value = task.text_value(target)
    if not target.value_is_url:
        return decode_text(value, target)
    if not isinstance(value, LocalPath) and is_plain_text(value):
        raise FetchError(
            f'What {target} shows is not an address, but the tag says valueType="url":'
            " leave that out for texts in the task itself",
            cause="invalid_address",
        )
    return decode_text(media.read_text(value, task.id), target)


def encode_text(text: str, target: ObjectTag) -> str:
    """Return the text as the task must hold it; DecodeError if the encoding cannot say it."""
    encoding = _encoding_of(target)
    if encoding is None:
        return text
    try:
        return base64.b64encode(text.encode(CHARSETS[encoding])).decode()
    except UnicodeEncodeError as error:
        raise DecodeError(
            f'{target} says encoding="{encoding}", which has no "{text[error.start]}":'
            ' write encoding="base64unicode"',
            cause="wrong_encoding",
        ) from None


def _encoding_of(target: ObjectTag) -> str | None:
    said = target.attrs.get("encoding", "") if target.tag in TEXT_TAGS else ""
    return said if said in CHARSETS else None
