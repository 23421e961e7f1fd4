"""Parts of JSON schemas that strict structured outputs take.

Those are: each object names all its properties as required and allows no others; what may be left
out is null (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

# OpenAI takes 1,000 enum values in a whole schema; a control tag with more labels than this is
# asked for as a text, and what is not among its labels is named.
MAX_ENUM_VALUES = 500


def closed_object(properties: Mapping[str, Schema]) -> dict[str, Any]:
    """Return the schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def one_of(values: Sequence[Any], kind: str = "string") -> dict[str, Any]:
    """Return the schema of one of some values; of any, if they are too many to list."""
    if len(values) > MAX_ENUM_VALUES:
        return {"type": kind}
    return {"type": kind, "enum": list(values)}


def list_of(items: Schema) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def allow_null(schema: Schema) -> Schema:
    """Return the schema that takes null, too."""
    if schema.get("type") == "array":
        return schema  # empty says the same
    return {"anyOf": [schema, {"type": "null"}]}
