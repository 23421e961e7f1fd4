"""Regions on texts: spans of characters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.results.types import ShapeValue


@dataclass(frozen=True)
class TextSpan:
    """Characters `start` to `end` (exclusive), in code points as Python counts them.

    Label Studio's editor counts the characters of a Text tag in code points, too: nothing is
    converted here, unlike in HTML documents and dialogues, where it counts in UTF-16 code units.
    """

    start: int
    end: int

    def to_value(self, text: str) -> ShapeValue:
        """Return `start`, `end` and the `text` between them; `text` is the task's whole text."""
        value = {"start": self.start, "end": self.end, "text": text[self.start : self.end]}
        return value, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], text: str) -> "TextSpan":
        """Read the span of a result's `value`."""
        return cls(int(value["start"]), int(value["end"]))
