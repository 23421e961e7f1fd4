"""The schema of messages that continue a Chat."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.prompt.answer_schema.keywords import Schema, allow_null, closed_object
from backends.prompt.answer_schema.spans import VALUES, per_region_controls
from shared.backend import Control, LabelConfig
from shared.results.chat import ROLES

# The keys of an item.
ROLE, CONTENT = "role", "content"
ASSISTANT = "assistant"
# Who may write where `messageroles` does not say.
DEFAULT_ROLES = ("user", ASSISTANT)


def draws_messages(control: Control) -> bool:
    """Return whether a control tag takes messages: a Chat that names itself in `toName`."""
    return control.tag == "Chat"


def message_roles(control: Control) -> Sequence[str]:
    """Return who may write in a Chat, by its `messageroles`."""
    named = [role.strip() for role in control.attrs.get("messageroles", "").split(",")]
    return [role for role in named if role in ROLES] or DEFAULT_ROLES


def describe_messages(
    control: Control,
    config: LabelConfig,
    source: Any,
    describe: Callable[[Control], Schema | None],
) -> Schema:
    """Return the schema of the messages that are to follow: mostly one, the assistant's.

    With `minMessages` as many as the chat lacks. `source` are the messages that there are.
    """
    lacking = _count_attribute(control, "minMessages", 1) - len(source or ())
    count = min(max(lacking, 1), _count_attribute(control, "maxMessages", 100))
    roles = message_roles(control) if count > 1 else (ASSISTANT,)
    properties: dict[str, Schema] = {
        ROLE: {"type": "string", "enum": list(roles)},
        CONTENT: {"type": "string", "description": "What is written, in the chat's language"},
    }
    values = {
        other.name: allow_null(schema)
        for other in per_region_controls(control, config)
        if (schema := describe(other)) is not None
    }
    if values:
        properties[VALUES] = closed_object(values)
    more = "messages that follow, in their order" if count > 1 else "answer to the last message"
    return {
        "type": "array",
        "items": closed_object(properties),
        "minItems": count,
        "maxItems": count,
        "description": f'The {more} of "{control.to_name}"',
    }


def _count_attribute(control: Control, key: str, default: int) -> int:
    written: Mapping[str, str] = control.attrs
    text = written.get(key, "").strip()
    return int(text) if text.isdigit() else default
