"""A task as Label Studio sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.errors import MissingKeyError, TaskError, ValueTypeError
from shared.label_config import ObjectTag

KEYS = 12
"""Keys of the data that a message names."""


@dataclass(frozen=True)
class Task:
    """One task: its id (`None` for a task not imported yet) and its data."""

    id: Any
    data: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: Any) -> "Task":
        """From the task's JSON; TaskError if it is none."""
        if not isinstance(raw, Mapping):
            raise TaskError(f"A task should be an object, found {_kind(raw)}")
        data = raw.get("data")
        if not isinstance(data, Mapping):
            raise TaskError(f'A task should have an object under "data", found {_kind(data)}')
        return cls(raw.get("id"), data)

    def value(self, target: ObjectTag) -> Any:
        """What the object tag shows: its variable's value in the task's data.

        MissingKeyError if the data lacks it, or holds null.
        """
        if target.key is None:
            return target.attrs.get("value") or target.attrs.get("valueList")
        found = self.data.get(target.key)
        if found is None and "." in target.key:
            found = self.data
            for part in target.key.split("."):
                found = found.get(part) if isinstance(found, Mapping) else None
        if found is None:
            keys = ", ".join(f'"{key}"' for key in islice(self.data, KEYS)) or "nothing"
            keys += " and more" if len(self.data) > KEYS else ""
            state = "is null" if target.key in self.data else "is missing"
            raise MissingKeyError(
                f'"{target.key}" {state} in the task\'s data, but {target.tag} "{target.name}"'
                f" shows it (the data has {keys})"
            )
        return found

    def text_value(self, target: ObjectTag) -> str:
        """The same, but a string; ValueTypeError otherwise."""
        found = self.value(target)
        if not isinstance(found, str):
            raise ValueTypeError(
                f'"{target.key}" should be a string for {target.tag} "{target.name}",'
                f" found {_kind(found)}"
            )
        return found

    def addresses(self, target: ObjectTag) -> list[tuple[int | None, str]]:
        """Each of the media that the object tag shows, with its `item_index`.

        That is None unless the tag shows a list of them (`valueList`).
        """
        if not target.is_list:
            return [(None, self.text_value(target))]
        found = self.value(target)
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
            raise ValueTypeError(
                f'"{target.key}" should be a list of strings for {target.tag} "{target.name}",'
                f" found {_kind(found)}"
            )
        return list(enumerate(found))


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
