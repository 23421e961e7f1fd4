"""A task as Label Studio sends it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.errors import FetchError, MissingKeyError, TaskError, ValueTypeError
from shared.label_studio import javascript, variables
from shared.label_studio.encoded_text import decode_text
from shared.label_studio.javascript import UNDEFINED
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.tags import TEXT_TAGS
from shared.media.address import is_plain_text
from shared.media.named_file import LocalPath, StoredObject

if TYPE_CHECKING:
    from shared.media.reader import MediaReader  # imports httpx, and readers of all media

# How many of the data's keys a message names.
MAX_NAMED_KEYS = 12


@dataclass(frozen=True)
class Task:
    """One task: its id (`None` for a task not imported yet) and its data."""

    id: Any
    data: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: Any) -> "Task":
        """Read a task's JSON; TaskError if it is not a task."""
        if not isinstance(raw, Mapping):
            raise TaskError(f"A task should be an object, found {describe_type(raw)}")
        data = raw.get("data")
        if not isinstance(data, Mapping):
            raise TaskError(
                f'A task should have an object under "data", found {describe_type(data)}'
            )
        return cls(raw.get("id"), data)

    def object_value(self, target: ObjectTag) -> Any:
        """Return what the object tag shows: its value, with variables replaced by the task's data.

        MissingKeyError if the data lacks one, or holds null; ValueTypeError if text stands
        around an object.
        """
        found = self.data.get(target.key) if target.key is not None else None
        if found is None and target.key is not None:  # not a member's name, but a path to one
            found = javascript.lookup_path(self.data, target.key)
        if found is not UNDEFINED and found is not None:
            return found
        for problem in self.value_problems(target):
            raise problem
        return variables.resolve_variables(target.value, self.data)

    def value_problems(self, target: ObjectTag) -> Iterator[TaskError]:
        """Yield an error for each part of the object tag's value that the editor cannot show."""
        key = variables.unreadable_key(target.value, self.data)
        if key is not None:
            yield MissingKeyError(
                f'"{key}" cannot be shown by {target}: the editor reads only'
                f' {variables.READABLE_CHARACTERS} after the $ of value="{target.value}"; give the'
                " key a name of these"
            )
            return
        for key in variables.missing_keys(target.value, self.data):
            yield MissingKeyError(self._describe_missing(key, target))
        if target.key is None:
            for key in variables.keys_of(target.value):
                if isinstance(javascript.lookup_path(self.data, key), dict):
                    what = f'"{key}" is an object, which the editor cannot join with the text of'
                    yield ValueTypeError(f'{what} value="{target.value}" of {target}')

    def _describe_missing(self, key: str, target: ObjectTag) -> str:
        keys = ", ".join(f'"{key}"' for key in islice(self.data, MAX_NAMED_KEYS)) or "nothing"
        keys += " and more" if len(self.data) > MAX_NAMED_KEYS else ""
        state = "is null" if javascript.lookup_path(self.data, key) is None else "is missing"
        return f'"{key}" {state} in the task\'s data, but {target} shows it (the data has {keys})'

    def text_value(self, target: ObjectTag) -> str:
        """Return the object tag's value as a string: a text, a number as text, or an address.

        ValueTypeError if it is another kind of value; MissingKeyError if an address is empty.
        """
        found = self.object_value(target)
        if target.tag == "Image" and isinstance(found, list) and [*map(type, found)] == [str]:
            found = found[0]  # the editor shows the first of a list
        if target.tag in TEXT_TAGS and isinstance(found, bool | int | float):
            return javascript.to_string(found)
        if not isinstance(found, str):
            raise ValueTypeError(
                f"{target.shown_value} should be a string for {target}, found"
                f" {_describe_found(found, target)}"
            )
        if not found.strip() and _is_address(target):
            raise MissingKeyError(
                f"{target.shown_value} is empty in the task's data: {target} needs it",
                cause="empty_value",
            )
        return found

    def read_text(self, target: ObjectTag, media: "MediaReader") -> str:
        """Return the text that a tag shows: the task's own, or with `valueType="url"` an address's.

        Either is decoded if the tag has `encoding`. TaskError says what the editor could not show.
        """
        text = self.text_value(target)
        if target.value_is_url:
            if not isinstance(text, LocalPath | StoredObject) and is_plain_text(text):
                raise FetchError(
                    f'What {target} shows is not an address, but the tag says valueType="url":'
                    " leave that out for texts in the task itself",
                    cause="invalid_address",
                )
            text = media.read_text(text, self.id)
        return decode_text(text, target) if target.encoding else text

    def media_addresses(self, target: ObjectTag) -> list[tuple[int | None, str]]:
        """Return each medium that the object tag shows, with its `item_index`.

        The index is None unless the tag shows a list of them (`valueList`).
        """
        if not target.is_list:
            return [(None, self.text_value(target))]
        found = self.object_value(target)
        found = [found] if isinstance(found, str) else found
        wrong = None if isinstance(found, list) else describe_type(found)
        for place, part in enumerate(found if wrong is None else ()):
            if not isinstance(part, str):
                wrong = f"{describe_type(part)} at place {place}"
                break
        if wrong is not None:
            raise ValueTypeError(
                f"{target.shown_value} should be a list of strings for {target}, each the address"
                f" of a medium; found {wrong}"
            )
        return list(enumerate(found))


def _describe_found(value: Any, target: ObjectTag) -> str:
    """Describe a value that should be a string, and what helps."""
    if target.tag == "Image" and isinstance(value, list):
        written = f'valueList="{target.value}"'
        if all(isinstance(part, str) for part in value):
            return f"a list: of several images write {written} instead of value"
        return (
            f"{_describe_list(value)}: write each image's address as a string, and {written}"
            " instead of value if there are several"
        )
    return describe_type(value)


def _describe_list(value: list[Any]) -> str:
    """Return what a list holds, in words."""
    kinds = {describe_type(part).removeprefix("an ").removeprefix("a ") for part in value}
    if len(kinds) == 1 and "null" not in kinds:
        return f"a list of {kinds.pop()}s"
    return "a list of other values than strings"


def _is_address(target: ObjectTag) -> bool:
    return target.tag not in TEXT_TAGS or target.value_is_url


def describe_type(value: Any) -> str:
    """Return what a JSON value is, in words."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
