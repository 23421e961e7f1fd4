"""A server that answers a task as the example in its messages that has the most words of it."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from tests.prompt.answers import answer_schema
from tests.prompt.fault_server import Asked


def answer_as_nearest(schema: Mapping[str, Any], asked: Asked) -> Any:
    """Without examples, or none that has a word of it, the first of what the schema allows."""
    words = set(asked.text.split())
    best, found = 0, None
    for shown, answered in examples_of(asked):
        shared = len(words & set(shown.split()))
        if shared > best:
            best, found = shared, answered
    return found if found is not None else _first(schema)


def examples_of(asked: Asked) -> list[tuple[str, Any]]:
    """What a question's messages show and the answers to it, one after the other."""
    messages = asked.body["messages"]
    pairs = itertools.pairwise(messages)
    return [
        (user["content"], json.loads(assistant["content"]))
        for user, assistant in pairs
        if (user["role"], assistant["role"]) == ("user", "assistant")
    ]


def _first(schema: Mapping[str, Any]) -> Any:
    return {name: _first_value(field) for name, field in schema["properties"].items()}


def _first_value(field: Mapping[str, Any]) -> Any:
    for option in field.get("anyOf", [field]):
        if "enum" in option:
            return option["enum"][0]
    return answer_schema(field, "", 0)
