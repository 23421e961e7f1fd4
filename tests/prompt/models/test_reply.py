from typing import Any

import pytest

from backends.prompt.errors import InvalidAnswerError, ModelRefusedError, TruncatedAnswerError
from backends.prompt.models.reply import Reply, Token, find_object, read_replies, read_usage
from backends.prompt.question import TokenUsage


@pytest.mark.parametrize(
    ("text", "values", "start"),
    [
        ('{"a": 1}', {"a": 1}, 0),
        ('  {"a": 1}\n', {"a": 1}, 2),
        ('```json\n{"a": 1}\n```', {"a": 1}, 8),
        ('Sure! {"a": {"b": 2}} Anything else?', {"a": {"b": 2}}, 6),
        ('<think>maybe {"a": 0}?</think>{"a": 1}', {"a": 1}, 30),
        ('{broken} {"a": 1}', {"a": 1}, 9),
        ('[{"a": 1}]', {"a": 1}, 1),
        ('{"a": 1, "a": 2}', {"a": 2}, 0),
    ],
    ids=[
        "plain", "spaces", "markdown", "between words", "after thoughts", "after broken JSON",
        "in a list", "twice",
    ],
)  # fmt: skip
def test_object_is_found(text: str, values: Any, start: int) -> None:
    assert find_object(text) == (values, start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("I  think\nso.", "it is no JSON object: 'I think so.'"),
        ('{"a": NaN}', "it is no JSON object: '{\"a\": NaN}'"),
        ('{"a": ', "it is no JSON object: '{\"a\":'"),
        ("[1, 2]", "it is no JSON object: '[1, 2]'"),
        ("x" * 100, f"it is no JSON object: '{'x' * 79}…'"),
        ('{"a":' * 100_000, None),  # deeper than Python's stack
    ],
    ids=["empty", "blank", "prose", "not a number", "cut off", "list", "long", "deep"],
)
def test_text_without_object_is_named(text: str, message: str | None) -> None:
    with pytest.raises(ValueError, match=r"^it is ") as caught:
        find_object(text)
    if message:
        assert str(caught.value) == message


def completion(**choice: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": "stop"} | choice]}


def test_reply_has_text_and_tokens() -> None:
    logprobs = [
        {"token": "{", "logprob": -0.5, "bytes": [123]},
        {"token": "�", "logprob": 0.1, "bytes": [0xE2, 0x82]},  # part of a character
        {"token": "}", "logprob": -1, "bytes": None},
        {"token": None, "logprob": None, "bytes": None},
        {"token": "!", "logprob": float("nan"), "bytes": None},
    ]
    message = {"content": "{}", "refusal": None, "tool_calls": None}
    found = read_replies(completion(message=message, logprobs={"content": logprobs}))
    tokens = (Token(b"{", -0.5), Token(b"\xe2\x82", 0.0), Token(b"}", -1.0))
    assert found == [Reply("{}", tokens)]


@pytest.mark.parametrize(
    "raw", [[300], ["a"], [-1], "ab"], ids=["large", "text", "negative", "no list"]
)
def test_bytes_of_a_token_that_are_none_are_those_of_its_text(raw: Any) -> None:
    logprobs = {"content": [{"token": "{}", "logprob": -0.5, "bytes": raw}]}
    found = read_replies(completion(message={"content": "{}"}, logprobs=logprobs))
    assert found == [Reply("{}", (Token(b"{}", -0.5),))]


def test_arguments_of_a_tool_call_are_the_text() -> None:
    call = {"function": {"name": "answer", "arguments": '{"a": 1}'}}
    message = {"content": None, "refusal": None, "tool_calls": [call]}
    assert read_replies(completion(message=message)) == [Reply('{"a": 1}')]


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ({"message": {"refusal": "No."}, "finish_reason": "stop"}, ModelRefusedError),
        ({"message": {}, "finish_reason": "content_filter"}, ModelRefusedError),
        ({"message": {"content": '{"a'}, "finish_reason": "length"}, TruncatedAnswerError),
    ],
    ids=["refusal", "filter", "length"],
)
def test_choice_without_answer_is_an_error_of_its_own(choice: Any, kind: type[Exception]) -> None:
    good = {"message": {"content": "{}"}, "finish_reason": "stop"}
    first, second = read_replies({"choices": [choice, good]})
    assert isinstance(first, kind)
    assert second == Reply("{}")


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({}, ""),
        ({"message": None}, ""),
        ({"message": {"content": 5, "tool_calls": "x"}}, ""),
        ({"message": {"content": "a", "tool_calls": [None]}, "logprobs": "x"}, "a"),
    ],
    ids=["nothing", "no message", "numbers", "odd calls"],
)
def test_choice_may_have_any_shape(choice: Any, text: str) -> None:
    assert read_replies({"choices": [choice]}) == [Reply(text)]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("<html>", "something else than a chat completion"),
        (None, "something else than a chat completion"),
        ({"choices": None}, "something else than a chat completion"),
        ({"choices": []}, "without any choice"),
    ],
    ids=["page", "nothing", "no choices", "empty choices"],
)
def test_what_is_no_completion_is_named(found: Any, message: str) -> None:
    with pytest.raises(InvalidAnswerError, match=message):
        read_replies(found)


@pytest.mark.parametrize(
    ("found", "usage"),
    [
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 2}}, TokenUsage(5, 2)),
        ({"usage": {"prompt_tokens": None}}, TokenUsage()),
        ({"usage": {"prompt_tokens": -5, "completion_tokens": 10**30}}, TokenUsage()),
        ({"usage": None}, TokenUsage()),
        ("page", TokenUsage()),
    ],
    ids=["both", "odd", "nonsense", "none", "no completion"],
)
def test_usage_is_what_the_server_says(found: Any, usage: TokenUsage) -> None:
    assert read_usage(found) == usage
