"""A time series as the methods and models see it: times and channels as arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.layout import SeriesLayout
from shared.backend import DecodeError, MediaReader, ObjectTag, Task, ValueTypeError
from shared.media.series import (
    Numbers,
    SeriesTable,
    WantedColumns,
    find_column,
    read_columns,
    read_series,
    to_numbers,
)
from shared.results.time_column import parse_times
from shared.results.time_format import format_time

# Cells that a table has at most for each point that a series may have.
MAX_COLUMNS = 64
# Squares of larger values, and their sums, are no numbers any more.
LARGEST_VALUE = 1e100


@dataclass(frozen=True, eq=False)
class Series:
    """The points of a series.

    - `times`: in milliseconds since 1970 for dates, else in the column's own unit, or row numbers;
      never falling; shape (n,)
    - `values`: of each channel, NaN where one is missing; shape (n, channels)
    """

    times: Numbers
    values: NDArray[np.float64]
    channels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def read(
        cls, task: Task, target: ObjectTag, layout: SeriesLayout, media: MediaReader, most: int
    ) -> "Series":
        """Read what a task shows: columns in the task itself, or a file at an address.

        `most` is how many points it may have. DecodeError or ValueTypeError says what is wrong.
        """
        shown = task.object_value(target)
        wanted = wanted_columns(layout, most)
        if isinstance(shown, Mapping):
            return cls.from_table(read_columns(shown, wanted), layout)
        if isinstance(shown, str):
            data = media.fetch(task.text_value(target), task.id)
            return cls.from_table(read_series(data, layout.separator, wanted), layout)
        raise ValueTypeError(
            f"{target.shown_value} should be an address, or an object with a list for each column,"
            f" for {target}; found {'a list' if isinstance(shown, list) else type(shown).__name__}"
        )

    @classmethod
    def from_table(cls, table: SeriesTable, layout: SeriesLayout) -> "Series":
        """Build the series of a table; DecodeError if times or a channel cannot be used."""
        if not table.row_count:
            raise DecodeError("The series has no rows")
        times = _read_times(table, layout)
        names = _channel_names(table, layout)
        _check_channels(table, names)
        values = np.column_stack([_scaled(table.numbers[name]) for name in names])
        times, values = _drop_cut_row(times, values)
        _check_times(times, table, layout)
        return cls(times, values, tuple(names))


def wanted_columns(layout: SeriesLayout, most: int) -> WantedColumns:
    """Return the columns to read of a table."""
    texts = (layout.time_column,) if layout.has_dates else ()
    times = (layout.time_column,) if layout.time_column and not texts else ()
    numbers = (*layout.channels, *times) if layout.channels else ()
    columns = len(texts) + len(numbers) or MAX_COLUMNS
    return WantedColumns(numbers, texts, most * columns)


def _channel_names(table: SeriesTable, layout: SeriesLayout) -> list[str]:
    if layout.channels:
        return [table.names[find_column(one, table.names)] for one in layout.channels]
    time = _time_name(table, layout)
    found = [
        name
        for name, column in table.numbers.items()
        if name != time and not np.isnan(column).all()
    ]
    if not found:
        raise DecodeError("The series has no column of numbers beside its times")
    return found


def _time_name(table: SeriesTable, layout: SeriesLayout) -> str:
    if not layout.time_column:
        return ""
    return table.names[find_column(layout.time_column, table.names)]


def _read_times(table: SeriesTable, layout: SeriesLayout) -> Numbers:
    if not layout.time_column:
        return np.arange(table.row_count, dtype=np.float64)
    name = _time_name(table, layout)
    if layout.has_dates:
        return parse_times(table.texts[name], layout.time_format)
    known = table.numbers.get(name)
    return to_numbers(table.texts[name]) if known is None else known


def _check_channels(table: SeriesTable, names: Sequence[str]) -> None:
    for name in names:
        if np.isnan(table.numbers[name]).all():
            shown = ", ".join(f'"{cell}"' for cell in table.examples.get(name, ()))
            found = f"found {shown}" if shown else "all of its cells are empty"
            raise DecodeError(f'The column "{name}" of the series has no numbers: {found}')


def _scaled(channel: Numbers) -> Numbers:
    """Return a channel, divided by its largest value if that is huge: no method minds its unit."""
    largest = max(abs(float(np.nanmax(channel))), abs(float(np.nanmin(channel))))
    return channel / largest if largest > LARGEST_VALUE else channel


def _drop_cut_row(times: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
    """Leave out a last row without a time, as in a file that was cut off."""
    if len(times) > 1 and math.isnan(times[-1]):
        return times[:-1], values[:-1]
    return times, values


def _check_times(times: Numbers, table: SeriesTable, layout: SeriesLayout) -> None:
    """Raise DecodeError for times that the editor does not take: unreadable ones, or falling."""
    wrong = np.isnan(times)
    if wrong.any():
        row = int(wrong.argmax())
        name = _time_name(table, layout)
        raise DecodeError(_describe_unreadable(table, layout, name, row))
    falls = np.flatnonzero(np.diff(times) < 0)
    if len(falls):
        row = int(falls[0])
        before, after = (_show_time(times[place], layout) for place in (row, row + 1))
        raise DecodeError(
            f'The column "{layout.time_column}" of the series goes back: row {row + 2:,} has'
            f" {after} after {before}; sort the rows by time, the editor shows no others"
        )


def _describe_unreadable(table: SeriesTable, layout: SeriesLayout, name: str, row: int) -> str:
    if layout.has_dates:
        return (
            f'The column "{name}" of the series has "{table.texts[name][row][:80]}" in row'
            f' {row + 1:,}, expected a time in the format timeFormat="{layout.time_format}"'
        )
    shown = next(iter(table.examples.get(name, ())), "")
    found = f'"{shown[:80]}"' if shown else "nothing"
    return (
        f'The column "{name}" of the series has {found} in row {row + 1:,}, expected a number:'
        " times that are dates need timeFormat on the TimeSeries tag"
    )


def _show_time(time: float, layout: SeriesLayout) -> str:
    return format_time(time, layout.time_format) if layout.has_dates else f"{time:g}"
