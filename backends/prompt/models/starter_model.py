"""The starter: no language model, but a few rules, for the demo and the tests.

It chooses what the text says word for word: a label whose name is in it, the first number and
date that fit, its first sentence. So it shows what becomes of answers, and needs no server.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.prompt.question import Answer, JsonSchema, Question, TextPart

STARTER = "starter"

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"[^\s].*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
# Ends of English words that matter little.
_ENDING = re.compile(r"(?:ies|es|s|y)$")


class StarterModel:
    """Answers by rules; it is sure of nothing, so it gives no scores."""

    def ask(self, question: Question) -> Answer:
        """Return what of the schema the task's texts say word for word."""
        text = "\n".join(part.text for part in question.content if isinstance(part, TextPart))
        values = {
            name: _answer(schema, text) for name, schema in question.schema["properties"].items()
        }
        return Answer(question, values)


def _answer(schema: JsonSchema, text: str) -> Any:
    """Return a value that fits a schema; null or an empty list if the text says nothing."""
    if "anyOf" in schema:
        return _answer(schema["anyOf"][0], text)
    if "enum" in schema:
        return next(_find_values(schema["enum"], text), None)
    if schema["type"] == "array":
        return _answer_list(schema["items"], text)
    if schema["type"] == "object":
        return {name: _answer(part, text) for name, part in schema["properties"].items()}
    if schema["type"] in {"number", "integer"}:
        return next(_find_numbers(schema, text), None)
    if "pattern" in schema:
        found = re.search(rf"\b{schema['pattern'].strip('^$')}\b", text)
        return found[0] if found else None
    found = _SENTENCE.search(text)
    return found[0] if found else None


def _answer_list(items: JsonSchema, text: str) -> list[Any]:
    if "enum" in items:
        return list(_find_values(items["enum"], text))
    if "quote" in items.get("properties", {}):
        return list(_quote_labels(items, text))
    found = _answer(items, text)
    return [] if found is None else [found]


def _find_values(values: Sequence[Any], text: str) -> Iterator[Any]:
    """Yield the values whose words are all in the text."""
    words = set(map(_stem, _WORD.findall(text)))
    for value in values:
        if words.issuperset(map(_stem, _WORD.findall(str(value)))):
            yield value


def _find_numbers(schema: JsonSchema, text: str) -> Iterator[float]:
    for found in _NUMBER.findall(text):
        number = float(found)
        whole = number.is_integer()
        low, high = schema.get("minimum", number), schema.get("maximum", number)
        if low <= number <= high and (whole or schema["type"] == "number"):
            yield int(number) if whole else number


def _quote_labels(items: JsonSchema, text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the words of a text that are labels, as quotes."""
    properties = items["properties"]
    key = "label" if "label" in properties else "labels"
    field = properties[key]
    labels = field["enum"] if "enum" in field else field["items"].get("enum", ())
    by_stem = {_stem(label): label for label in labels}
    for number, found in enumerate(_WORD.finditer(text)):
        label = by_stem.get(_stem(found[0]))
        if label is None:
            continue
        before = len(re.findall(rf"{re.escape(found[0])}", text[: found.start()]))
        yield {name: _answer(part, text) for name, part in properties.items()} | {
            "id": number,
            "quote": found[0],
            "occurrence": before + 1,
            key: label if key == "label" else [label],
        }


def _stem(word: str) -> str:
    return _ENDING.sub("", word.casefold())
