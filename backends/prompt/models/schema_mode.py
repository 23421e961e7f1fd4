"""How an answer of the right form is asked for, and what the server is found to know of it."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

import orjson

from backends.prompt.question import JsonSchema
from backends.prompt.settings import SchemaMode

TOOL_NAME = "answer"
MODE_NAMES: Mapping[SchemaMode, str] = {
    "json_schema": "response_format json_schema",
    "tool": "a tool call",
    "json_object": "response_format json_object",
    "words": "the schema in words",
}


class SchemaModes:
    """The modes that one server takes with one model: learned from what it refuses.

    A mode that never worked is left alone for good; one that did work, only for the schemas
    with which it was refused.
    """

    def __init__(self, chosen: SchemaMode | Literal["auto"] = "auto") -> None:
        self._all: tuple[SchemaMode, ...] = get_args(SchemaMode) if chosen == "auto" else (chosen,)
        self._working: set[SchemaMode] = set()
        self._refused: set[SchemaMode] = set()
        self._refused_schemas: set[tuple[SchemaMode, bytes]] = set()
        self._lock = threading.Lock()

    def candidates(self, schema: JsonSchema) -> Iterator[SchemaMode]:
        """Yield the modes to try, the best first; the last one whatever is known of it."""
        key = _key(schema)
        for mode in self._all:
            known = mode in self._refused or (mode, key) in self._refused_schemas
            if not known or mode == self._all[-1]:
                yield mode

    def is_last(self, mode: SchemaMode) -> bool:
        """Return whether there is nothing to try after a mode."""
        return mode == self._all[-1]

    def note_success(self, mode: SchemaMode, refused: list[SchemaMode], schema: JsonSchema) -> None:
        """Note that a mode worked, after others were refused with the same question."""
        if mode in self._working and not refused:
            return
        with self._lock:
            self._working.add(mode)
            for other in refused:
                if other in self._working:
                    self._refused_schemas.add((other, _key(schema)))
                else:
                    self._refused.add(other)

    def note_ignored(self, mode: SchemaMode) -> None:
        """Note that the server took a mode's request, and answered as if there were no schema."""
        with self._lock:
            if mode not in self._working:
                self._refused.add(mode)


def request_options(mode: SchemaMode, schema: JsonSchema) -> dict[str, Any]:
    """Return the arguments of a chat completion by which a mode asks for the schema."""
    if mode == "json_schema":
        form: Mapping[str, Any] = {"name": TOOL_NAME, "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    if mode == "tool":
        function = {"name": TOOL_NAME, "description": "Give the answer", "parameters": schema}
        choice = {"type": "function", "function": {"name": TOOL_NAME}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {"response_format": {"type": "json_object"}} if mode == "json_object" else {}


def says_schema(mode: SchemaMode) -> bool:
    """Return whether the schema has to be said in words."""
    return mode in {"json_object", "words"}


def _key(schema: JsonSchema) -> bytes:
    return orjson.dumps(schema)
