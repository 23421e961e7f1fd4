"""Encoded texts of tasks: the attribute `encoding` of Text and HyperText."""

import base64

from shared.errors import DecodeError
from shared.label_studio import javascript
from shared.label_studio.object_tag import ObjectTag
from shared.label_studio.tags import TEXT_TAGS

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
    return target.encoding if target.tag in TEXT_TAGS and target.encoding in CHARSETS else None
