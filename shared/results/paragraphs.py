"""Regions on dialogues (Paragraphs): spans of characters within or across paragraphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.label_studio.label_config import ObjectTag
from shared.results.types import ShapeValue
from shared.results.utf16 import code_point_offset, utf16_length


@dataclass(frozen=True)
class Dialogue:
    """What a Paragraphs tag shows: each paragraph's text and its speaker's name."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def from_paragraphs(
        cls, target: ObjectTag, paragraphs: Sequence[Mapping[str, Any]]
    ) -> "Dialogue":
        """Read the task's value by the tag's `nameKey` and `textKey`."""
        name, text = target.attrs.get("nameKey", "author"), target.attrs.get("textKey", "text")
        return cls(
            tuple(str(paragraph.get(text) or "") for paragraph in paragraphs),
            tuple(str(paragraph.get(name) or "") for paragraph in paragraphs),
        )

    def paragraph_text(self, index: int) -> str:
        """Return a paragraph's text; that of a paragraph that does not exist is empty."""
        return self.texts[index] if 0 <= index < len(self.texts) else ""


@dataclass(frozen=True)
class ParagraphSpan:
    """Code points `start` to `end` (exclusive) of a paragraph; paragraphs count from 0.

    With `last`, the span ends in that paragraph, and `end` counts in it.
    """

    paragraph: int
    start: int
    end: int
    last: int | None = None

    def to_value(self, dialogue: Dialogue) -> ShapeValue:
        """Return the paragraphs' indexes, which are strings, and offsets in UTF-16 code units."""
        last = self.paragraph if self.last is None else self.last
        first_text, last_text = (
            dialogue.paragraph_text(self.paragraph),
            dialogue.paragraph_text(last),
        )
        value = {
            "start": str(self.paragraph),
            "end": str(last),
            "startOffset": utf16_length(first_text[: self.start]),
            "endOffset": utf16_length(last_text[: self.end]),
            "text": self._spanned_text(dialogue, last),
        }
        return value, {}

    def _spanned_text(self, dialogue: Dialogue, last: int) -> str:
        first_text, last_text = (
            dialogue.paragraph_text(self.paragraph),
            dialogue.paragraph_text(last),
        )
        if last == self.paragraph:
            return last_text[self.start : self.end]
        between = dialogue.texts[self.paragraph + 1 : last]
        return "".join((first_text[self.start :], *between, last_text[: self.end]))

    @classmethod
    def from_value(cls, value: Mapping[str, Any], dialogue: Dialogue) -> "ParagraphSpan":
        """Read the span of a result's `value`."""
        first, last = int(value["start"]), int(value["end"])
        start = code_point_offset(dialogue.paragraph_text(first), value["startOffset"])
        end = code_point_offset(dialogue.paragraph_text(last), value["endOffset"])
        return cls(first, start, end, None if first == last else last)
