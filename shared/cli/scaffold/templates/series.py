"""Time series: a column of times and one of values."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError, ValueTypeError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader


@dataclass(frozen=True, eq=False)
class Series:
    """`times` as the task has them (numbers, or dates as text) and `values`, shape (n,)."""

    times: tuple[float | str, ...]
    values: NDArray[np.float64]

    @classmethod
    def read(cls, task: Task, target: ObjectTag, media: MediaReader) -> "Series":
        """What a TimeSeries tag shows: columns in the task itself, or a CSV file by address."""
        found = task.value(target)
        if isinstance(found, str):
            text = media.fetch(found, task.id).decode("utf-8-sig", "replace")
            found = _columns(text, target.attrs.get("sep", ","))
        if not isinstance(found, Mapping):
            raise ValueTypeError(f"{target.shown} should be columns or an address for {target}")
        return cls._of(found, target)

    @classmethod
    def _of(cls, columns: Mapping[str, Any], target: ObjectTag) -> "Series":
        name = target.attrs.get("timeColumn") or next(iter(columns), "")
        others = [column for column in columns if column != name]
        if name not in columns or not others:
            raise DecodeError(f'{target} needs the column "{name}" and another one')
        dated = "timeFormat" in target.attrs
        times = tuple(str(time) if dated else float(time) for time in columns[name])
        return cls(times, np.asarray([float(value) for value in columns[others[0]]]))


def _columns(text: str, separator: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
