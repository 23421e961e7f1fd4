"""Regions on dialogues (Paragraphs): spans of characters in a paragraph or over several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.label_studio.label_config import ObjectTag
from shared.results.utf16 import code_point_offset, utf16_length

Value = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Dialogue:
    """What a Paragraphs tag shows: the text and the name of each paragraph."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def from_paragraphs(
        cls, target: ObjectTag, paragraphs: Sequence[Mapping[str, Any]]
    ) -> "Dialogue":
        """From the task's value, by the tag's `nameKey` and `textKey`."""
        name, text = target.attrs.get("nameKey", "author"), target.attrs.get("textKey", "text")
        return cls(
            tuple(str(paragraph.get(text) or "") for paragraph in paragraphs),
            tuple(str(paragraph.get(name) or "") for paragraph in paragraphs),
        )

    def paragraph_text(self, index: int) -> str:
        return self.texts[index] if 0 <= index < len(self.texts) else ""


@dataclass(frozen=True)
class ParagraphSpan:
    """Code points `start` to `end` (exclusive) of a paragraph, counted from 0.

    If `last` is another paragraph, `end` is in that one.
    """

    paragraph: int
    start: int
    end: int
    last: int | None = None

    def to_value(self, on: Dialogue) -> Value:
        """As the paragraphs' indexes, which are strings, and offsets in UTF-16 code units."""
        last = self.paragraph if self.last is None else self.last
        first_text, last_text = on.paragraph_text(self.paragraph), on.paragraph_text(last)
        value = {
            "start": str(self.paragraph),
            "end": str(last),
            "startOffset": utf16_length(first_text[: self.start]),
            "endOffset": utf16_length(last_text[: self.end]),
            "text": self._spanned_text(on, last),
        }
        return value, {}

    def _spanned_text(self, on: Dialogue, last: int) -> str:
        if last == self.paragraph:
            return on.paragraph_text(last)[self.start : self.end]
        between = on.texts[self.paragraph + 1 : last]
        return "".join(
            (
                on.paragraph_text(self.paragraph)[self.start :],
                *between,
                on.paragraph_text(last)[: self.end],
            )
        )

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: Dialogue) -> "ParagraphSpan":
        """From a result's `value`."""
        first, last = int(value["start"]), int(value["end"])
        start = code_point_offset(on.paragraph_text(first), value["startOffset"])
        end = code_point_offset(on.paragraph_text(last), value["endOffset"])
        return cls(first, start, end, None if first == last else last)
