"""Answers that fit a JSON schema, made from a seed."""

import random
import re
from collections.abc import Mapping
from typing import Any

# Values of string formats and of patterns that no generator of ours reads.
FORMATS = {"date": "2024-03-01", "date-time": "2024-03-01T12:30:00", "time": "12:30:00"}
WORD = re.compile(r"\w+(?:[ \t]\w+){0,2}")


def answer_schema(schema: Mapping[str, Any], text: str, seed: int) -> Any:
    """Return a value that fits a schema; `quote` properties hold words of the text."""
    return _Answers(schema, text, random.Random(seed)).value(schema, "")


class _Answers:
    def __init__(self, root: Mapping[str, Any], text: str, chance: random.Random) -> None:
        self.root, self.text, self.chance = root, text, chance

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.chance.choice([v for v in schema["enum"] if v is not None] or [None])
        for many in ("anyOf", "oneOf"):
            if many in schema:
                options = [o for o in schema[many] if o.get("type") != "null"]
                return self.value(self.chance.choice(options), name)
        kind = schema.get("type", "string")
        if isinstance(kind, list):
            kind = next(k for k in kind if k != "null")
        return getattr(self, f"_{kind}")(schema, name)

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        found: Any = self.root
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]
        return found

    def _object(self, schema: Mapping[str, Any], name: str) -> Any:
        return {key: self.value(part, key) for key, part in schema.get("properties", {}).items()}

    def _array(self, schema: Mapping[str, Any], name: str) -> Any:
        low = schema.get("minItems", 0)
        count = self.chance.randint(low, max(low, min(schema.get("maxItems", 3), 3)))
        made = [self.value(schema["items"], name) for _ in range(count)]
        if not schema.get("uniqueItems") and "enum" not in schema["items"]:
            return made
        values = schema["items"].get("enum", made)
        return self.chance.sample(values, min(count, len(values)))

    def _string(self, schema: Mapping[str, Any], name: str) -> Any:
        if "quote" in name:
            return self._quote()
        if "format" in schema:
            return FORMATS.get(schema["format"], "2024")
        if "pattern" in schema and schema.get("examples"):
            return self.chance.choice(schema["examples"])
        text = f"about {self._quote()}"
        return text[: schema.get("maxLength", 200)].ljust(schema.get("minLength", 0), ".")

    def _quote(self) -> str:
        words = WORD.findall(self.text)
        return self.chance.choice(words) if words else "nothing"

    def _number(self, schema: Mapping[str, Any], name: str) -> Any:
        return float(self._integer(schema, name))

    def _integer(self, schema: Mapping[str, Any], name: str) -> Any:
        low = int(schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1))
        high = int(schema.get("maximum", low + 10))
        step = int(schema.get("multipleOf", 1)) or 1
        return self.chance.randrange(low, high + 1, step)

    def _boolean(self, schema: Mapping[str, Any], name: str) -> Any:
        return self.chance.random() < 0.5

    def _null(self, schema: Mapping[str, Any], name: str) -> Any:
        return None
