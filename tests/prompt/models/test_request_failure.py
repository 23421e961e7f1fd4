import time
from email.utils import formatdate
from typing import Any

import pytest

from backends.prompt.errors import (
    ContentTooLongError,
    InvalidAnswerError,
    RateLimitError,
    ServerFailedError,
    ServerRefusedError,
    UnknownModelError,
)
from backends.prompt.models.request_failure import RequestFailedError, RetryPolicy


def status(number: int, text: str = "", **more: Any) -> RequestFailedError:
    return RequestFailedError("status", text, status=number, **more)


TIMEOUT = RequestFailedError("timeout", "no answer came in PROMPT_TIMEOUT=60 s")
CONNECTION = RequestFailedError("connection", "Connection refused")
BODY = RequestFailedError("body", "it sent something that is no JSON")
QUOTA = status(429, "You exceeded your current quota", code="insufficient_quota")


@pytest.mark.parametrize(
    ("failure", "retried"),
    [
        *((status(number), True) for number in (408, 429, 500, 501, 502, 503, 504)),
        *((status(number), False) for number in (301, 400, 401, 403, 404, 413, 422)),
        (TIMEOUT, True),
        (CONNECTION, True),
        (BODY, False),
        (QUOTA, False),
    ],
    ids=lambda value: str(value.status or value.kind) if not isinstance(value, bool) else "",
)
def test_only_what_may_pass_is_retried(failure: RequestFailedError, retried: bool) -> None:
    wait = RetryPolicy(3, 60).wait_seconds(failure, 0, 0)
    assert (wait is not None) is retried


def test_waits_double_and_are_spread() -> None:
    policy = RetryPolicy(10, 60)
    for attempt, longest in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        waits = [policy.wait_seconds(status(500), attempt, 0) for _ in range(50)]
        assert all(wait and longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 40


@pytest.mark.parametrize(
    ("attempt", "elapsed", "retried"),
    [(0, 0.0, True), (2, 0.0, True), (3, 0.0, False), (1, 60.0, True), (1, 91.0, False)],
    ids=["first", "last", "one too many", "after a timeout", "after another"],
)
def test_retries_end(attempt: int, elapsed: float, retried: bool) -> None:
    wait = RetryPolicy(3, 60).wait_seconds(TIMEOUT, attempt, elapsed)
    assert (wait is not None) is retried


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
    ],
    ids=["seconds", "fraction", "milliseconds", "negative"],
)
def test_retry_after_is_honoured(headers: dict[str, str], seconds: float) -> None:
    wait = RetryPolicy(3, 60).wait_seconds(status(429, headers=headers), 0, 0)
    assert wait == seconds


@pytest.mark.parametrize(("later", "least"), [(40, 30), (-40, 0)], ids=["to come", "past"])
def test_date_to_retry_after_is_honoured(later: float, least: float) -> None:
    date = formatdate(time.time() + later, usegmt=True)
    wait = status(429, headers={"retry-after": date}).retry_after()
    assert wait is not None
    assert least <= wait <= max(later, 0)


@pytest.mark.parametrize("value", ["soon", "", "Mon, 99 Foo 2020"], ids=["word", "none", "date"])
def test_odd_retry_after_is_none(value: str) -> None:
    assert status(429, headers={"retry-after": value}).retry_after() is None


def test_server_that_wants_long_is_given_up() -> None:
    assert RetryPolicy(3, 60).wait_seconds(status(429, headers={"retry-after": "61"}), 0, 0) is None


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (TIMEOUT, ServerFailedError, ("PROMPT_TIMEOUT=60", "runs and is not overloaded")),
        (CONNECTION, ServerFailedError, ("Connection refused", "PROMPT_BASE_URL")),
        (BODY, InvalidAnswerError, ("no JSON", "/v1")),
        (QUOTA, RateLimitError, ("429", "account")),
        (status(429), RateLimitError, ("429", "PROMPT_RPM", "PROMPT_TPM")),
        (status(401), ServerRefusedError, ("401", "PROMPT_API_KEY")),
        (status(403), ServerRefusedError, ("403", "PROMPT_API_KEY")),
        (status(404, "no such model"), UnknownModelError, ("PROMPT_MODEL=big", "/v1", "no such")),
        (status(400, "odd"), ServerRefusedError, ("400", "odd")),
        (status(302), ServerRefusedError, ("302", "PROMPT_BASE_URL", "elsewhere")),
        (status(503, "busy"), ServerFailedError, ("503", "busy", "log")),
        (status(413), ContentTooLongError, ("900 tokens", "PROMPT_CONTEXT_TOKENS")),
        (
            status(400, "too long", code="context_length_exceeded"),
            ContentTooLongError,
            ("900 tokens", "big", "PROMPT_CONTEXT_TOKENS"),
        ),
    ],
    ids=[
        "timeout", "connection", "body", "quota", "429", "401", "403", "404", "400", "302", "503",
        "413", "too long",
    ],
)  # fmt: skip
def test_error_names_what_helps(
    failure: RequestFailedError, kind: type[Exception], says: tuple[str, ...]
) -> None:
    error = failure.to_error("big", 900)
    assert type(error) is kind
    assert [word for word in says if word not in str(error)] == []


@pytest.mark.parametrize(
    "text",
    [
        # as OpenAI, vLLM, llama.cpp, Ollama, LM Studio and Azure say it
        "This model's maximum context length is 8192 tokens. However, you sent 9001",
        "The prompt (total length 5000) is too long to fit into the model (context length 4096)",
        "the request exceeds the available context size. try increasing the context size",
        "input length exceeds maximum context length",
        "The number of tokens to keep from the initial prompt is greater than the context length",
        "Input tokens exceed the configured limit: too many tokens",
    ],
    ids=["openai", "vllm", "llama.cpp", "ollama", "lm studio", "azure"],
)
def test_too_long_question_is_known_by_many_words(text: str) -> None:
    assert status(400, text).is_too_long
    assert not status(400, text).is_unsupported


@pytest.mark.parametrize(
    ("failure", "option", "named"),
    [
        (status(400, "Unsupported value: 'temperature' does not support 0"), "temperature", True),
        (status(400, "no", param="logprobs"), "logprobs", True),
        (status(400, "logprobs is not supported"), "logprobs", True),
        (status(400, "'n' must be 1"), "n", True),
        (status(400, "n is a letter"), "n", False),
        (status(400, "top_logprobs is not supported"), "logprobs", False),
    ],
    ids=["quoted", "param", "plain", "short quoted", "short plain", "longer name"],
)
def test_complaint_names_an_option(failure: RequestFailedError, option: str, named: bool) -> None:
    assert failure.names(option) is named
