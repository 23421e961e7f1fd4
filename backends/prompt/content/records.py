"""Chat, List and Table: records of the task's data, as text."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from backends.prompt.content.pictures import encode_picture
from backends.prompt.content.reading import ObjectContent, Reading, empty_value
from backends.prompt.question import ContentPart, TextPart
from shared.backend import ObjectTag, Passages, ValueTypeError
from shared.label_studio.task import describe_type
from shared.results import ChatMessage

# The address of a picture in the HTML of a list's item.
PICTURE = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)


def read_chat(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read a Chat: a line for each message, after its role. Its source are the messages."""
    messages = tuple(
        ChatMessage(
            str(message.get("role") or ""), as_text(message.get("content")), _created_at(message)
        )
        for message in read_objects(reading, target)
    )
    lines = [f"{message.role}: {message.content}" for message in messages]
    text = "\n".join(lines) or "(no message yet)"
    return ObjectContent((TextPart(target.name, text),), messages)


def _created_at(message: Mapping[str, Any]) -> int:
    found = message.get("createdAt")
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else 0


def read_list(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read a List: each item after its id, with the pictures in its HTML. Its source: the ids."""
    parts: list[ContentPart] = []
    ids: list[str] = []
    for number, item in enumerate(read_objects(reading, target)):
        if item.get("id") is None:
            raise ValueTypeError(
                f'Item {number} of {target.shown_value} has no "id", by which {target} names it'
            )
        ids.append(as_text(item["id"]))
        parts += _item_parts(reading, target, ids[-1], item)
    if not ids:
        raise empty_value(target)
    return ObjectContent(tuple(parts), tuple(ids))


def _item_parts(
    reading: Reading, target: ObjectTag, name: str, item: Mapping[str, Any]
) -> list[ContentPart]:
    html = as_text(item.get("html"))
    texts = [as_text(item.get("title")), as_text(item.get("body"))]
    texts.append(Passages.from_html(html).text.strip() if html else "")
    text = "\n".join(filter(None, (f'Item with the id "{name}":', *texts)))
    addresses = [double or single for double, single in PICTURE.findall(html)]
    if addresses and not any(texts):
        reading.require("image", target)
    if "image" not in reading.limits.modalities:
        addresses = []
    pictures = (reading.media.read_image(address, reading.task.id) for address in addresses)
    return [
        TextPart(target.name, text),
        *(encode_picture(target.name, picture, reading.limits) for picture in pictures),
    ]


def read_objects(reading: Reading, target: ObjectTag) -> list[Mapping[str, Any]]:
    """Return a value that is a list of objects; ValueTypeError if it is another."""
    found = reading.task.object_value(target)
    wrong = None if isinstance(found, list) else describe_type(found)
    for place, part in enumerate(found if wrong is None else ()):
        if not isinstance(part, Mapping):
            wrong = f"{describe_type(part)} at place {place}"
            break
    if wrong is not None:
        raise ValueTypeError(
            f"{target.shown_value} should be a list of objects for {target}, found {wrong}"
        )
    return list(found)


def as_text(value: Any) -> str:
    """Return a JSON value as a reader sees it: texts as they are, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # halves of characters, too


def write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], limit: int) -> str:
    """Return a table in Markdown with the first `limit` rows, and how many there are more."""
    lines = [columns, ["---"] * len(columns), *rows[:limit]]
    text = "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
    left = len(rows) - limit
    return f"{text}\n({left} more rows are not shown)" if left > 0 else text


def _cell(value: Any) -> str:
    return " ".join(as_text(value).replace("|", "\\|").split())
