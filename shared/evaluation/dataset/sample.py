"""Samples: what a dataset holds of a task, in the units of models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from shared.evaluation.annotated_task import labels_of
from shared.label_studio.label_config import LabelConfig


@dataclass(frozen=True)
class Sample:
    """What a dataset holds of a task.

    - `objects`: by object tag what it shows: its `tag` with a `text` (and the `passages`
      of a document or dialogue, start and end each, and of the latter who speaks, `names`),
      `addresses` of pictures, the `address` of a recording or a video, or else the `value`
    - `regions`: each with `object`, `shape` (see `shape_json`), `values` by control tag, and where
      they are known `id`, `parent`, `item` (the place in a list), and `size` (the picture's width
      and height to which the pixels refer)
    - `answers`: values for the whole task, by control tag; `item_answers`: those for an item of a
      list, by its place
    """

    task: str
    id: Any
    objects: Mapping[str, Mapping[str, Any]]
    regions: Sequence[Mapping[str, Any]] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)
    item_answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Return the sample as a line of JSON."""
        return orjson.dumps(vars(self), default=_write_other, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> "Sample":
        """Read a line that `to_line` made."""
        return cls(**orjson.loads(line))

    def answers_for(self, item: int | None) -> dict[str, Any]:
        """Return the values for a picture: the whole task's, and those of its place in the list."""
        return {**self.answers, **self.item_answers.get(str(item), {})}

    def labels(self, config: LabelConfig) -> Iterator[tuple[str, str]]:
        """Yield the control tag and name of each label and choice, as often as it was given."""
        given = [region["values"] for region in self.regions]
        for values in (*given, self.answers, *self.item_answers.values()):
            for name, value in values.items():
                control = config.find_control(name)
                for label in labels_of(control, value) if control else ():
                    yield name, label


def _write_other(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
