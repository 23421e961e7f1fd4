"""Regions on texts: spans of characters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class TextSpan:
    """Characters `start` to `end` (exclusive), counted in code points as Python counts them."""

    start: int
    end: int

    def to_value(self, on: str) -> Value:
        """As `start`, `end` in the editor's units and the `text` between them."""
        value = {
            "start": editor_offset(on, self.start),
            "end": editor_offset(on, self.end),
            "text": on[self.start : self.end],
        }
        return value, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: str) -> "TextSpan":
        """From a result's `value`."""
        return cls(code_points(on, value["start"]), code_points(on, value["end"]))


def editor_offset(text: str, code_points: int) -> int:
    """The editor's count of the characters before an offset in code points."""
    return code_points


def code_points(text: str, editor_offset: int) -> int:
    """The code points before an offset of the editor's: the inverse of `editor_offset`."""
    return editor_offset
