"""A request that a server did not answer: what it means, and whether asking again can help."""

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

from backends.prompt.errors import (
    ContentTooLongError,
    InvalidAnswerError,
    RateLimitError,
    ServerFailedError,
    ServerRefusedError,
    UnknownModelError,
)
from shared.errors import TaskError

SERVER = "The server at PROMPT_BASE_URL"
RETRIED_STATUSES = frozenset({408, 429, 500, 501, 502, 503, 504})
# What a server answers to a request of which it does not know or allow a part.
UNSUPPORTED_STATUSES = frozenset({400, 422})
# The wait before the first retry; each further one is twice as long, up to a bound.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0
# A server that wants more is given up: the task is asked about again with the next request.
LONGEST_RETRY_AFTER_SECONDS = 60.0
# No retry begins later than so many time limits after the question: one that timed out gets one.
RETRY_WINDOW_TIMEOUTS = 1.5

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window|limit)|maximum.{0,40}tokens|too many tokens"
    r"|(prompt|input|message).{0,20}too (long|large)|token limit",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"insufficient_quota|billing|quota.{0,20}exceeded|exceeded.{0,40}quota", re.I)
# What servers say of models that take text alone: OpenAI, vLLM, llama.cpp, Ollama, LM Studio. A
# picture of a wrong kind is something else.
_MEDIUM = r"(image_url|input_audio|images?|audio|vision|multi-?modal)\b(?! (?:format|type|file))"
_REFUSED_MEDIUM = re.compile(
    rf"{_MEDIUM}.{{0,40}}(?:not supported|unsupported|only supported by|may be provided)"
    rf"|(?:not|n't|unable to) (?:support|take|accept|process|a|handle)\b.{{0,30}}{_MEDIUM}"
    rf"|missing data required for {_MEDIUM}",
    re.IGNORECASE,
)
_SOUND = re.compile("audio", re.IGNORECASE)


@dataclass
class RequestFailedError(Exception):
    """What went wrong, free of keys.

    `kind` is status (an HTTP status, with what the server says as `text`), timeout, connection, or
    body (what came is no answer at all).
    """

    kind: Literal["status", "timeout", "connection", "body"]
    text: str
    status: int = 0
    code: str = ""
    param: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_too_long(self) -> bool:
        """Whether the question has more tokens than the model takes."""
        if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return True
        said = f"{self.code} {self.text}".replace("_", " ")
        return self.status in UNSUPPORTED_STATUSES and bool(_TOO_LONG.search(said))

    @property
    def is_unsupported(self) -> bool:
        """Whether the server may know a part of the request only; another form may do."""
        refused = self.is_too_long or self.refused_medium is not None
        return self.status in UNSUPPORTED_STATUSES and not refused

    @property
    def refused_medium(self) -> str | None:
        """What the model does not take, pictures or sound; None if it is about something else."""
        found = _REFUSED_MEDIUM.search(self.text) if self.kind == "status" else None
        if found is None:
            return None
        return "sound" if _SOUND.search(found[0]) else "pictures"

    @property
    def is_quota(self) -> bool:
        """Whether what was paid for is used up."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS and bool(
            _QUOTA.search(f"{self.code} {self.text}")
        )

    def names(self, option: str) -> bool:
        """Return whether the server complains of an option of the request."""
        quoted = (
            rf"['\"`]{option}['\"`]|\b{option}\b" if len(option) > 1 else rf"['\"`]{option}['\"`]"
        )
        return self.param == option or bool(re.search(quoted, self.text))

    def retry_after(self) -> float | None:
        """Return for how many seconds the server asks to wait, if it does."""
        for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
            value = self.headers.get(name, "").strip()
            try:
                return max(0.0, float(value) / unit)
            except ValueError:  # none, or a date
                continue
        try:
            date = parsedate_to_datetime(self.headers.get("retry-after", ""))
        except (ValueError, TypeError):
            return None
        return max(0.0, date.timestamp() - time.time())

    def to_error(self, model: str, tokens: int) -> TaskError:
        """Return the error of the task; `tokens` is what the question has about."""
        if self.kind == "body":
            return InvalidAnswerError(
                f"{SERVER} did not answer as one of models: {self.text}; check the address, which"
                " often ends with /v1"
            )
        if self.kind != "status":
            return ServerFailedError(
                f"{SERVER} cannot be asked: {self.text}; check that it runs and is not overloaded"
            )
        if self.is_too_long:
            return ContentTooLongError(
                f"The question has about {tokens} tokens, more than {model} takes ({self.text});"
                " set PROMPT_CONTEXT_TOKENS lower, so that long texts are cut into windows"
            )
        if self.refused_medium is not None:
            return ServerRefusedError(
                f"{model} takes no {self.refused_medium} ({self.text}): set PROMPT_MODEL to one"
                " that does, or PROMPT_MODALITIES to what it takes"
            )
        return self._describe_status(model)

    def _describe_status(self, model: str) -> TaskError:
        answered = f"{SERVER} answered {self.status}"
        if self.status in {401, 403}:
            return ServerRefusedError(f"{answered}: check PROMPT_API_KEY, and what it may use")
        if self.status == HTTPStatus.NOT_FOUND:
            return UnknownModelError(
                f"{answered}: check PROMPT_MODEL={model}, and the address, which often ends with"
                f" /v1 ({self.text})"
            )
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            helps = (
                "what was paid for is used up: look at the account there"
                if self.is_quota
                else "set PROMPT_RPM and PROMPT_TPM to what it allows"
            )
            return RateLimitError(f"{answered}, too many requests: {helps}")
        if 300 <= self.status < 400:
            return ServerRefusedError(
                f"{answered}, which leads elsewhere: set PROMPT_BASE_URL to where it leads, since"
                " what tasks show is sent nowhere else"
            )
        if self.status >= 500:
            return ServerFailedError(
                f"{answered}: {self.text}; look at its log, or ask again later"
            )
        return ServerRefusedError(f"{answered}: {self.text}")


@dataclass(frozen=True)
class RetryPolicy:
    """When a question is asked again: `retries` times at most, and not for ever."""

    retries: int
    timeout_seconds: float

    def wait_seconds(
        self, failure: RequestFailedError, attempt: int, elapsed: float
    ) -> float | None:
        """Return how long to wait before the next attempt; None if that cannot help.

        `attempt` counts from 0, `elapsed` is the time since the first one began.
        """
        if attempt >= self.retries or elapsed > RETRY_WINDOW_TIMEOUTS * self.timeout_seconds:
            return None
        if failure.kind == "body" or failure.is_quota or failure.refused_medium:
            return None
        if failure.kind == "status" and failure.status not in RETRIED_STATUSES:
            return None
        asked = failure.retry_after()
        if asked is not None:
            return asked if asked <= LONGEST_RETRY_AFTER_SECONDS else None
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**attempt)
        # Spread, so that those who failed together do not come again together.
        return longest * (0.5 + random.random() / 2)  # noqa: S311
