"""Time series: a column of times and one of values."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend import DecodeError, MediaReader, ObjectTag, Task, ValueTypeError


@dataclass(frozen=True, eq=False)
class Series:
    """`times` as the task has them (numbers, or dates as text) and `values`, shape (n,)."""

    times: tuple[float | str, ...]
    values: NDArray[np.float64]

    @classmethod
    def read(cls, task: Task, target: ObjectTag, media: MediaReader) -> "Series":
        """Read the first channel of a TimeSeries tag: from the task itself, or a CSV file."""
        columns = task.object_value(target)
        if isinstance(columns, str):
            text = media.fetch(columns, task.id).decode("utf-8-sig", "replace")
            columns = _read_csv(text, target.attrs.get("sep", ","))
        if not isinstance(columns, Mapping):
            raise ValueTypeError(
                f"{target.shown_value} should be columns or an address for {target}"
            )
        return cls._from_columns(columns, target)

    @classmethod
    def _from_columns(cls, columns: Mapping[str, Any], target: ObjectTag) -> "Series":
        time_column = target.attrs.get("timeColumn") or next(iter(columns), "")
        others = [column for column in columns if column != time_column]
        if time_column not in columns or not others:
            raise DecodeError(f'{target} needs the column "{time_column}" and another one')
        dated = "timeFormat" in target.attrs
        times = tuple(str(time) if dated else float(time) for time in columns[time_column])
        return cls(times, np.asarray([float(value) for value in columns[others[0]]]))


def _read_csv(text: str, separator: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
