"""Reads what a task shows, in the tests of this folder."""

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image as Pillow

from backends.prompt.content import Content, ContentLimits, read_content
from backends.prompt.question import ImagePart, TextPart
from shared.backend import LabelConfig, Task
from shared.media.reader import MediaReader
from shared.settings import Settings


def read(
    xml: str, data: Mapping[str, Any], settings: Mapping[str, Any] | None = None, **limits: Any
) -> Content:
    """Read the content for all control tags of a label config, which is written without a View."""
    config = LabelConfig.parse(f"<View>{xml}</View>")
    with media_reader(**(settings or {})) as media:
        return read_content(Task(7, data), config.controls, config, media, ContentLimits(**limits))


@contextmanager
def media_reader(**settings: Any) -> Iterator[MediaReader]:
    media = MediaReader(Settings(**settings))
    try:
        yield media
    finally:
        media.close()


def texts(content: Content) -> list[str]:
    return [part.text for part in content.parts if isinstance(part, TextPart)]


def pictures(content: Content) -> list[ImagePart]:
    return [part for part in content.parts if isinstance(part, ImagePart)]


def opened(part: ImagePart) -> Pillow.Image:
    """The picture as a model gets it."""
    return Pillow.open(io.BytesIO(part.file))


def encoded(picture: Pillow.Image, kind: str = "PNG", **options: Any) -> str:
    """A picture as a data URL."""
    return data_url(encoded_file(picture, kind, **options), f"image/{kind.lower()}")


def encoded_file(picture: Pillow.Image, kind: str = "PNG", **options: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)
    return made.getvalue()


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
