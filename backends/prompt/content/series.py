"""TimeSeries as text: figures of each channel, and its course in a table."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.content.records import write_table
from backends.prompt.question import TextPart
from shared.backend import DecodeError, ObjectTag, ValueTypeError
from shared.label_studio.series_channels import find_channels
from shared.label_studio.task import describe_type
from shared.media.series import (
    Numbers,
    SeriesTable,
    WantedColumns,
    find_column,
    read_columns,
    read_series,
)

# Channels beside which a table has as many rows as the limits allow; of more it has fewer.
FULL_LENGTH_CHANNELS = 4
LEAST_ROWS = 10
FIGURES = ("channel", "values", "missing", "lowest", "mean", "highest", "deviation")


def read_time_series(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read the channels of a TimeSeries: what is longer than the limits allow in equal parts."""
    time = target.attrs.get("timeColumn", "").strip()
    table = _read_table(reading, target, time)
    if not table.row_count:
        raise DecodeError(f"{target}: the series has no rows")
    shown = find_channels(reading.config, target) or [
        name for name in table.numbers if name != time.lower()
    ]
    channels = {name: table.numbers[table.names[find_column(name, table.names)]] for name in shown}
    times = table.texts[table.names[find_column(time, table.names)]] if time else ()
    text = "\n\n".join((_write_figures(channels), _write_course(channels, times, reading)))
    return ObjectContent((TextPart(target.name, text),))


def _read_table(reading: Reading, target: ObjectTag, time: str) -> SeriesTable:
    found = reading.task.object_value(target)
    channels = find_channels(reading.config, target)
    wanted = WantedColumns(channels, (time,) if time else ())
    if isinstance(found, Mapping):
        return read_columns(found, wanted)
    if isinstance(found, str):
        data = reading.media.fetch(reading.task.text_value(target), reading.task.id)
        return read_series(data, target.attrs.get("sep", ","), wanted)
    raise ValueTypeError(
        f"{target.shown_value} should be an address, or an object with a list for each column, for"
        f" {target}; found {describe_type(found)}"
    )


def _write_figures(channels: Mapping[str, Numbers]) -> str:
    rows = [_figures(name, values) for name, values in channels.items()]
    return write_table(FIGURES, rows, len(rows))


def _figures(name: str, values: Numbers) -> list[str]:
    known = values[~np.isnan(values)]
    counts = [name, str(len(known)), str(len(values) - len(known))]
    if not len(known):
        return [*counts, "", "", "", ""]
    figures = (known.min(), known.mean(), known.max(), known.std())
    return [*counts, *map(_short, figures)]


def _write_course(channels: Mapping[str, Numbers], times: Sequence[str], reading: Reading) -> str:
    """Return the values row by row; of a longer series the mean and range of equal parts."""
    count = max(map(len, channels.values()), default=0)
    shared = reading.limits.rows * FULL_LENGTH_CHANNELS // max(len(channels), FULL_LENGTH_CHANNELS)
    most = max(shared, LEAST_ROWS)
    borders = np.linspace(0, count, min(count, most) + 1).round().astype(int).tolist()
    columns = ["time", *channels]
    if count <= most:
        head = f"All {count} rows:"
    else:
        head = f"{most} equal parts of {count} rows, each by its first time: mean [lowest, highest]"
    return f"{head}\n{write_table(columns, list(_parts(channels, times, borders)), most)}"


def _parts(
    channels: Mapping[str, Numbers], times: Sequence[str], borders: Sequence[int]
) -> Iterator[list[Any]]:
    for start, end in itertools.pairwise(borders):
        yield [
            times[start] if times else start,
            *(_describe_part(values[start:end]) for values in channels.values()),
        ]


def _describe_part(values: Numbers) -> str:
    known = values[~np.isnan(values)]
    if not len(known):
        return ""
    if len(values) == 1:
        return _short(known[0])
    return f"{_short(known.mean())} [{_short(known.min())}, {_short(known.max())}]"


def _short(number: float) -> str:
    return f"{number:.5g}"
