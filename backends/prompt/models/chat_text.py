"""Chat messages as the text that a model in this process continues."""

import base64
import io
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from backends.prompt.models.messages import Message


class ChatText(NamedTuple):
    """The text that a model continues, and the pictures (PIL) that it mentions, in order."""

    text: str
    pictures: Sequence[Any] = ()


def write_chat(messages: Sequence[Message], template: Any) -> ChatText:
    """Return messages as one text, by the model's own template.

    `template` is a tokenizer or processor of transformers. One without a chat template belongs to
    a model that was never taught to chat: it gets a plain text to continue.
    """
    shown = [_read_message(message) for message in messages]
    pictures = [picture for message in shown for picture in _take_pictures(message)]
    if not getattr(template, "chat_template", None):
        return ChatText(_write_plain(shown), pictures)
    if not pictures:  # templates of text models take no parts
        shown = [{**message, "content": _join_texts(message)} for message in shown]
    return ChatText(_apply_template(shown, template), pictures)


def _apply_template(messages: Sequence[Message], template: Any) -> str:
    """Apply a chat template; one that knows no system message gets its text before the user's."""
    from jinja2.exceptions import TemplateError

    # The answer begins at once: what a model thinks aloud would not fit the schema.
    options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    tokenizer = getattr(template, "tokenizer", template)
    apply = partial(tokenizer.apply_chat_template, chat_template=template.chat_template, **options)
    try:
        text: str = apply(list(messages))
    except TemplateError:
        text = apply(_without_system(messages))
    return text


def _without_system(messages: Sequence[Message]) -> list[Message]:
    first, *others = messages
    if first["role"] != "system" or not others:
        return list(messages)
    told, asked = first["content"], others[0]["content"]
    if isinstance(told, str) and isinstance(asked, str):
        return [{**others[0], "content": f"{told}\n\n{asked}"}, *others[1:]]
    return [{**others[0], "content": [*_as_parts(told), *_as_parts(asked)]}, *others[1:]]


def _as_parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _write_plain(messages: Sequence[Message]) -> str:
    """Return messages as a text whose next words are the answer."""
    paragraphs = [
        f"Answer: {_join_texts(message)}"
        if message["role"] == "assistant"
        else _join_texts(message)
        for message in messages
    ]
    return "\n\n".join((*paragraphs, "Answer:")) + " "


def _join_texts(message: Message) -> str:
    return "\n".join(part["text"] for part in message["content"] if part["type"] == "text")


def _read_message(message: Message) -> Message:
    """Return a message whose content is parts, with pictures in place of their addresses."""
    return {
        "role": message["role"],
        "content": [_read_part(part) for part in _as_parts(message["content"])],
    }


def _read_part(part: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    if part["type"] != "image_url":
        return part
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return {"type": "image", "image": Image.open(io.BytesIO(data)).convert("RGB")}


def _take_pictures(message: Message) -> list[Any]:
    """Return the pictures of a message, in which their places stay."""
    return [part.pop("image") for part in message["content"] if part["type"] == "image"]
