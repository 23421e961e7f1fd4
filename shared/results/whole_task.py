"""Values for the whole task: choices, ratings, texts. They lie nowhere on the media."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.label_studio.label_config import Control
from shared.results.region import Region, region
from shared.results.types import ShapeValue


@dataclass(frozen=True)
class WholeTask:
    """The empty shape of a value for the whole task, or for one item of a list."""

    def to_value(self, source: Any = None) -> ShapeValue:
        """Return an empty `value`, which the control tag fills."""
        return {}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], source: Any = None) -> "WholeTask":
        """Return the empty shape."""
        return cls()


def whole_task(
    control: Control, answer: Any, score: float | None = None, **region_keys: Any
) -> Region:
    """Build a control tag's result for the whole task, or for the list's item `item_index`.

    `answer` is, by the control tag:

    - Choices: a label or a list of labels
    - Taxonomy, nested Choices: a path or a list of paths, each a list of names from the outermost
    - TextArea: a text or a list of texts
    - Rating, Number: a number
    - DateTime: a date, time or datetime, or its text in the tag's format
    - Pairwise: "left" or "right"
    - Ranker: item ids in their order, or {bucket: item ids}

    `score` is the model's confidence from 0 to 1; `region_keys` are those of `region`. A tag with
    `perItem` shows only values with an `item_index`: without one the value is the first item's.
    """
    if control.get_flag("perItem"):
        region_keys.setdefault("item_index", 0)
    return region(WholeTask(), {control: answer}, score=score, **region_keys)
