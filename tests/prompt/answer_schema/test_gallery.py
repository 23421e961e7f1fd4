"""What is asked about each template of the gallery, and that all servers take its schema."""

import json
import os
import random
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from backends.prompt.answer_schema import check_answer
from tests.prompt.answer_schema.gallery import FILE, questions
from tests.prompt.answers import answer_schema

EXPECTED: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
# What OpenAI takes in strict mode, and what a whole schema may have of it:
# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
STRICT = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum",
    "description", "pattern", "minimum", "maximum", "minItems", "maxItems",
}  # fmt: skip
MAX_NESTED, MAX_PROPERTIES, MAX_ENUM_VALUES = 10, 5000, 1000


def test_what_is_asked_about_each_template() -> None:
    found = dict(questions())
    if not found and os.environ.get("CI") != "true":
        pytest.skip("Label Studio is not installed; `make e2e-install` does that")
    assert len(found) == 69
    for name, asked in found.items():
        assert asked == EXPECTED[name], (
            f"{name}: look at it, then run `python -m tests.prompt.answer_schema.gallery`"
        )
    assert found.keys() == EXPECTED.keys()


def parts_of(schema: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield each schema in a schema, and how deep it is."""
    yield depth, schema
    inside = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for part in [*inside, *([schema["items"]] if "items" in schema else [])]:
        yield from parts_of(part, depth + 1)


@pytest.mark.parametrize("name", EXPECTED)
def test_strict_structured_outputs_take_the_schema(name: str) -> None:
    schema = EXPECTED[name]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    parts = list(parts_of(schema))
    assert max(depth for depth, _ in parts) <= MAX_NESTED
    assert sum(len(part.get("properties", ())) for _, part in parts) <= MAX_PROPERTIES
    assert sum(len(part.get("enum", ())) for _, part in parts) <= MAX_ENUM_VALUES
    for _, part in parts:
        assert part.keys() <= STRICT
        if part.get("type") == "object":
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False


def broken(value: Any, chance: random.Random) -> Any:
    """Return a value with one thing changed, somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        if chance.random() < 0.2:
            return {name: part for name, part in value.items() if name != key}
        return {**value, key: broken(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], broken(value[place], chance), *value[place + 1 :]]
    return chance.choice([None, True, 0, 2.5, 10**6, "nothing of it", [], {}, ["x"], {"x": 1}])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_check_says_what_json_schema_says(name: str) -> None:
    schema = EXPECTED[name]["schema"]
    validator = jsonschema.Draft202012Validator(schema)
    chance = random.Random(name)
    for seed in range(20):
        answer = answer_schema(schema, "Some words to quote", seed)
        assert check_answer(schema, answer) == []
        assert validator.is_valid(answer)
        worse = broken(answer, chance)
        problems = check_answer(schema, worse)
        assert bool(problems) == (not validator.is_valid(worse)), (worse, problems)
