"""What a chat completion holds: one reply for each sample, or why it holds none."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
from typing import Any, NoReturn, TypeGuard

from backends.prompt.errors import (
    InvalidAnswerError,
    ModelRefusedError,
    TruncatedAnswerError,
)
from backends.prompt.question import TokenUsage
from shared.errors import TaskError, truncate

# How much of an answer a message shows.
MAX_SHOWN_CHARACTERS = 80
# More tokens than any request takes: limits that counted them would stay closed for days.
MAX_USAGE_TOKENS = 100_000_000
# At so many opening braces at most an object is looked for.
MAX_OBJECT_STARTS = 50
# What reasoning models write before their answer ends so.
END_OF_THOUGHTS = "</think>"


@dataclass(frozen=True)
class Token:
    """A token of a reply: its bytes, and the logarithm of its probability."""

    piece: bytes
    logprob: float


@dataclass(frozen=True)
class Reply:
    """The text of one answer; its tokens where the server gives them."""

    text: str
    tokens: Sequence[Token] = ()


def read_replies(completion: Any) -> list[Reply | TaskError]:
    """Return the replies of a chat completion: its JSON, of which nothing is checked yet.

    InvalidAnswerError if it is no chat completion, or an empty one.
    """
    choices = _member(completion, "choices")
    if not isinstance(choices, list):
        raise InvalidAnswerError(
            "The server at PROMPT_BASE_URL answered with something else than a chat completion:"
            " check the address, which often ends with /v1"
        )
    if not choices:
        raise InvalidAnswerError("The server answered without any choice: ask again, or look there")
    return [_read_choice(choice) for choice in choices]


def read_usage(completion: Any) -> TokenUsage:
    """Return the tokens that a completion took; 0 where the server does not say, or nonsense."""
    usage = _member(completion, "usage")
    counts = (_member(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return TokenUsage(*(count if _is_count(count) else 0 for count in counts))


def _member(value: Any, name: str) -> Any:
    """Return a member of a JSON object; None if it has none, or is something else."""
    return value.get(name) if isinstance(value, dict) else None


def _is_count(count: Any) -> TypeGuard[int]:
    return isinstance(count, int) and 0 <= count <= MAX_USAGE_TOKENS


def _read_choice(choice: Any) -> Reply | TaskError:
    message = _member(choice, "message")
    refusal = _member(message, "refusal")
    reason = _member(choice, "finish_reason")
    if refusal:
        return ModelRefusedError(
            f"The model refuses to answer: {truncate(str(refusal), 200)!r}; annotate this task by"
            " hand, or choose another PROMPT_MODEL"
        )
    if reason == "content_filter":
        return ModelRefusedError(
            "A content filter of the server holds back the answer; annotate this task by hand, or"
            " change the filter there"
        )
    if reason == "length":
        return TruncatedAnswerError(
            "The answer was cut off: raise PROMPT_MAX_TOKENS (or the server's own limit), or ask"
            " for each control tag alone by PROMPT_ONE_QUESTION=false"
        )
    text = _tool_arguments(message) or _member(message, "content")
    if not isinstance(text, str):
        text = ""
    return Reply(text, tuple(_read_tokens(choice)))


def _tool_arguments(message: Any) -> str | None:
    calls = _member(message, "tool_calls")
    if not isinstance(calls, list) or not calls:
        return None
    arguments = _member(_member(calls[0], "function"), "arguments")
    return arguments if isinstance(arguments, str) else None


def _read_tokens(choice: Any) -> Iterator[Token]:
    content = _member(_member(choice, "logprobs"), "content")
    for token in content if isinstance(content, list) else ():
        text, logprob = _member(token, "token"), _member(token, "logprob")
        raw = _member(token, "bytes")
        # Some servers send NaN, which is no number to count with.
        if isinstance(text, str) and isinstance(logprob, int | float) and not isnan(logprob):
            yield Token(_read_bytes(raw, text), min(0.0, float(logprob)))


def _read_bytes(raw: Any, text: str) -> bytes:
    """Return the bytes of a token; those of its text where a server gives none, or no bytes."""
    with suppress(ValueError, TypeError):
        if isinstance(raw, list):
            return bytes(raw)
    return text.encode("utf-8", "replace")


def find_object(text: str) -> tuple[Any, int]:
    """Return the JSON object in a reply, and where it begins; ValueError if there is none.

    It may stand between words, or in a Markdown block.
    """
    start = max(text.rfind(END_OF_THOUGHTS), 0)
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for _ in range(MAX_OBJECT_STARTS):
        start = text.find("{", start)
        if start < 0:
            break
        with suppress(ValueError, RecursionError):
            return decoder.raw_decode(text, start)[0], start
        start += 1
    shown = truncate(" ".join(text.split()), MAX_SHOWN_CHARACTERS)
    raise ValueError(f"it is no JSON object: {shown!r}" if shown else "it is empty")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
