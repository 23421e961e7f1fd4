"""Checks an answer against its schema: the keywords that `build_schema` writes, and no others."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from backends.prompt.question import JsonSchema
from shared.results.validation.finding import quote, suggest_name

# Values that a message lists.
MAX_LISTED_VALUES = 10

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": lambda value: _is_number(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def check_answer(
    schema: JsonSchema, values: Any, pointer: str = "", most: int | None = None
) -> list[str]:
    """Return what is wrong with an answer, a sentence each that begins with a JSON pointer.

    Empty if it fits. `pointer` is where the values stand. After `most` problems nothing is looked
    at any more: a long answer may have thousands.
    """
    return list(islice(_problems(schema, values, pointer), most))


def escape_pointer(name: str) -> str:
    """Return a property's name as a JSON pointer has it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _problems(schema: JsonSchema, value: Any, pointer: str) -> Iterator[str]:
    if "anyOf" in schema:
        yield from _alternative_problems(schema["anyOf"], value, pointer)
        return
    kind = schema.get("type")
    if kind is not None and not _TYPES[kind](value):
        yield f"{pointer or '/'}: {quote(value)} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{pointer or '/'}: {quote(value)} is none of {_list_values(schema['enum'], value)}"
    if kind == "object":
        yield from _object_problems(schema, value, pointer)
    elif kind == "array":
        yield from _array_problems(schema, value, pointer)
    else:
        yield from _scalar_problems(schema, value, pointer)


def _alternative_problems(schemas: list[JsonSchema], value: Any, pointer: str) -> Iterator[str]:
    """Yield nothing if one of the schemas fits, else what is wrong by the first."""
    found = [list(_problems(schema, value, pointer)) for schema in schemas]
    if all(found):
        yield from found[0]


def _object_problems(schema: JsonSchema, value: dict[str, Any], pointer: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{pointer}/{escape_pointer(name)}: is missing"
    for name, inside in value.items():
        if name in properties:
            yield from _problems(properties[name], inside, f"{pointer}/{escape_pointer(name)}")
        elif schema.get("additionalProperties") is False:
            known = suggest_name(name, list(properties))
            yield f"{pointer}/{escape_pointer(name)}: is not asked for{known}"


def _array_problems(schema: JsonSchema, value: list[Any], pointer: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{pointer or '/'}: has {len(value)} entries, expected {schema['minItems']} or more"
    for place, inside in enumerate(value):
        yield from _problems(schema.get("items", {}), inside, f"{pointer}/{place}")


def _scalar_problems(schema: JsonSchema, value: Any, pointer: str) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and value < low:
        yield f"{pointer or '/'}: {quote(value)} is less than {low:g}"
    if high is not None and value > high:
        yield f"{pointer or '/'}: {quote(value)} is more than {high:g}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{pointer or '/'}: {quote(value)} does not look like {schema['pattern']}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _list_values(values: list[Any], found: Any) -> str:
    """Return the allowed values as a message lists them, and the nearest of many."""
    listed = ", ".join(map(quote, values[:MAX_LISTED_VALUES]))
    more = len(values) - MAX_LISTED_VALUES
    near = suggest_name(str(found), [str(value) for value in values]) if more > 0 else ""
    return f"{listed} and {more} more{near}" if more > 0 else listed
