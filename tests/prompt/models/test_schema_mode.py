from typing import Any

import pytest

from backends.prompt.models.schema_mode import SchemaModes, request_options, says_schema

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
OTHER: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}}}
ALL = ["json_schema", "tool", "json_object", "words"]


def test_unknown_server_is_tried_with_all_modes_the_best_first() -> None:
    assert list(SchemaModes().candidates(SCHEMA)) == ALL


@pytest.mark.parametrize("mode", ALL)
def test_chosen_mode_is_the_only_one(mode: Any) -> None:
    modes = SchemaModes(mode)
    modes.note_ignored(mode)
    assert list(modes.candidates(SCHEMA)) == [mode]


def test_mode_that_never_worked_is_left_alone() -> None:
    modes = SchemaModes()
    modes.note_success("json_object", ["json_schema", "tool"], SCHEMA)
    assert list(modes.candidates(OTHER)) == ["json_object", "words"]


def test_mode_that_worked_is_left_alone_with_one_schema() -> None:
    modes = SchemaModes()
    modes.note_success("json_schema", [], SCHEMA)
    modes.note_success("tool", ["json_schema"], OTHER)
    assert list(modes.candidates(OTHER)) == ALL[1:]
    assert list(modes.candidates(SCHEMA)) == ALL


def test_last_mode_is_always_tried() -> None:
    modes = SchemaModes()
    for mode in ALL:
        modes.note_ignored(mode)  # type: ignore[arg-type]
    assert list(modes.candidates(SCHEMA)) == ["words"]


def test_mode_that_worked_is_not_ignored() -> None:
    modes = SchemaModes()
    modes.note_success("json_schema", [], SCHEMA)
    modes.note_ignored("json_schema")
    assert list(modes.candidates(SCHEMA)) == ALL


def test_each_mode_says_the_schema_once() -> None:
    form = request_options("json_schema", SCHEMA)["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}
    [tool] = request_options("tool", SCHEMA)["tools"]
    assert tool["function"]["parameters"] == SCHEMA
    assert request_options("json_object", SCHEMA) == {"response_format": {"type": "json_object"}}
    assert request_options("words", SCHEMA) == {}
    assert [mode for mode in ALL if says_schema(mode)] == ["json_object", "words"]  # type: ignore[arg-type]
