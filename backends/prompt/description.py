"""Questions and answers as people read them."""

from collections.abc import Iterable, Mapping
from typing import Any

from backends.prompt.models import is_local
from backends.prompt.models.chat_text import write_chat
from backends.prompt.models.local_weights import load_tokenizer
from backends.prompt.models.messages import Message, write_messages
from backends.prompt.models.schema_mode import SchemaModes, says_schema
from backends.prompt.models.token_estimate import count_roughly
from backends.prompt.question import Answer, Question
from backends.prompt.settings import PromptSettings
from shared.backend import ModelSpec
from shared.backend.asked_question import AskedQuestion, GivenAnswer
from shared.settings import Settings


def describe_question(
    question: Question, spec: ModelSpec, settings: PromptSettings, server_settings: Settings
) -> AskedQuestion:
    """Return what a model gets; its tokens are counted if its tokenizer is here, else estimated."""
    modes = SchemaModes(settings.schema_mode)
    in_words = is_local(spec) or says_schema(next(modes.candidates(question.schema)))
    messages = write_messages(question, with_schema=in_words)
    tokenizer = load_tokenizer(spec, server_settings) if is_local(spec) else None
    if tokenizer is None:
        tokens = count_roughly(messages)
    else:
        chat = write_chat(messages, tokenizer)
        text_tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        tokens = len(text_tokenizer(chat.text, add_special_tokens=False).input_ids)
    shown = list(_without_files(messages))
    has_files = shown != messages
    estimated = tokenizer is None or has_files
    return AskedQuestion(question.instruction, question.schema, shown, tokens, estimated)


def describe_answer(answer: Answer) -> GivenAnswer:
    """Return what a model answered."""
    usage = answer.usage
    return GivenAnswer(answer.values, answer.scores, usage.prompt, usage.completion)


def _without_files(messages: Iterable[Message]) -> Iterable[Message]:
    """Yield messages with the size of pictures and sounds in place of their bytes."""
    for message in messages:
        content = message["content"]
        if not isinstance(content, str):
            content = [_without_file(part) for part in content]
        yield {**message, "content": content}


def _without_file(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "image_url":
        head, _, data = part["image_url"]["url"].partition(",")
        return {"type": "image_url", "image_url": {"url": f"{head},… ({_size(data)})"}}
    if part["type"] == "input_audio":
        sound = part["input_audio"]
        return {"type": "input_audio", "input_audio": {**sound, "data": _size(sound["data"])}}
    return dict(part)


def _size(base64_text: str) -> str:
    return f"{len(base64_text) * 3 // 4:,} bytes"
