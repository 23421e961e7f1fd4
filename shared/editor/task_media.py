"""The media of a task, given to the editor's page by us: it may open no address itself."""

import mimetypes
from collections.abc import Callable
from typing import Any

from shared.errors import FetchError
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.label_studio.tags import TEXT_TAGS
from shared.label_studio.task_file import as_task
from shared.media.address import is_plain_text
from shared.media.reader import MediaReader

# Object tags whose value is the address of a file; those of texts need valueType="url".
MEDIA_TAGS = ("Image", "Audio", "AudioPlus", "Video", "Pdf", "TimeSeries", "Paragraphs")

Publish = Callable[[bytes, str], str]
"""Puts a file (its bytes and type) where the page can load it, and returns the address."""


def localize_media(
    task: Any, config: LabelConfig, reader: MediaReader, publish: Publish
) -> dict[str, Any]:
    """Return the task with the addresses of its media replaced by those of `publish`.

    Data URLs stay. FetchError if a medium cannot be read, or may not be.
    """
    task = as_task(task)
    data = dict(task.get("data") or {})
    for tag in config.objects.values():
        if tag.key in data and _is_media(tag):
            data[tag.key] = _localize(data[tag.key], tag, task.get("id"), reader, publish)
    return {**task, "data": data}


def _is_media(tag: ObjectTag) -> bool:
    return tag.tag in MEDIA_TAGS or (tag.tag in TEXT_TAGS and tag.value_is_url)


def _localize(
    value: Any, tag: ObjectTag, task_id: Any, reader: MediaReader, publish: Publish
) -> Any:
    if isinstance(value, list) and tag.tag != "Paragraphs":
        return [_localize(part, tag, task_id, reader, publish) for part in value]
    if not isinstance(value, str) or value.startswith("data:") or not value.strip():
        return value
    if is_plain_text(value) and tag.tag in ("TimeSeries", "Paragraphs"):
        return value  # its text, not an address
    try:
        content = reader.fetch(value, task_id)
    except FetchError as error:
        raise FetchError(f"{tag.shown_value} of {tag}: {error}", cause=None) from None
    kind = mimetypes.guess_type(value.partition("?")[0])[0] or "application/octet-stream"
    return publish(content, kind)
