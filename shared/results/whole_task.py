"""Answers about the whole task: choices, ratings, texts. They have no place on the media."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.label_studio.label_config import Control
from shared.results.region import Region, region

Value = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class WholeTask:
    """The shape of what is said of the whole task, or of one item of a list: none."""

    def to_value(self, on: Any = None) -> Value:
        """Nothing but the control's own answer."""
        return {}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: Any = None) -> "WholeTask":
        """There is nothing to read."""
        return cls()


def whole_task(
    control: Control, answer: Any, score: float | None = None, **envelope: Any
) -> Region:
    """Build the answer of a control tag on the whole task, or on the item `item_index`.

    `answer` is a label or a list of them for Choices, a path or a list of paths (each a list
    of names, the outermost first) for Taxonomy and nested Choices, a text or a list of them
    for TextArea, a number for Rating and Number, a date or its text for DateTime, "left" or
    "right" for Pairwise, item ids in their order or {bucket: ids} for Ranker.
    """
    return region(WholeTask(), {control: answer}, score=score, **envelope)
