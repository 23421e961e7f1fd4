"""The series of a dataset (format `series`), and what was said of them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from backends.timeseries.layout import SeriesLayout
from backends.timeseries.series import Series, wanted_columns
from shared.backend import DecodeError, TrainingError, TrainingRun
from shared.media.series import read_series

logger = logging.getLogger(__name__)

Rows = tuple[int, int]


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """A series; its spans as label, first and last row; and its answer about the whole."""

    series: Series
    spans: Sequence[tuple[str, int, int]]
    answer: Any = None

    def label_rows(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of each row's class, 0 where it has none, shape (n,).

        Of spans that overlap the shorter one counts.
        """
        found = np.zeros(len(self.series), np.int64)
        for label, first, last in sorted(self.spans, key=lambda span: span[1] - span[2]):
            found[first : last + 1] = classes.index(label) + 1
        return found

    def crop(self, most: int) -> "LabelledSeries":
        """Return the part of at most so many rows that has the most rows with a label."""
        count = len(self.series)
        if count <= most:
            return self
        labelled = np.zeros(count + 1, np.int64)
        for _, first, last in self.spans:
            labelled[first + 1 : last + 2] = 1
        sums = np.cumsum(labelled)
        begin = int((sums[most:] - sums[: count - most + 1]).argmax())
        part = slice(begin, begin + most)
        spans = [
            (label, max(first - begin, 0), min(last - begin, most - 1))
            for label, first, last in self.spans
            if first < begin + most and last >= begin
        ]
        cut = Series(self.series.times[part], self.series.values[part], self.series.channels)
        return LabelledSeries(cut, spans, self.answer)


def read_part(run: TrainingRun, part: str, most: int) -> list[LabelledSeries]:
    """Return the series of a part of the dataset; one that cannot be read is logged, left out.

    TrainingError if it is no dataset of series, or if series differ in their channels.
    """
    file = run.dataset / f"{part}.jsonl"
    if not file.is_file():
        return []
    found = list(_read_lines(run, file, most))
    channels = {one.series.channels for one in found}
    if len(channels) > 1:
        first, other = sorted(channels)[:2]
        raise TrainingError(
            f"{run.control}: series have different channels, such as {', '.join(first)} and"
            f" {', '.join(other)}: name those to learn from by Channel tags"
        )
    return found


def _read_lines(run: TrainingRun, file: Path, most: int) -> Iterator[LabelledSeries]:
    target = run.config.objects[run.control.to_name]
    layout = SeriesLayout.of_tag(run.config, target)
    for line in file.read_bytes().splitlines():
        written = orjson.loads(line)
        if "series" not in written:
            raise TrainingError(
                f'{run.control}: {file.name} holds no series; expected the format "series"'
            )
        if written["object"] != target.name:
            continue
        try:
            data = (run.dataset / written["series"]).read_bytes()
            table = read_series(data, layout.separator, wanted_columns(layout, most))
            series = Series.from_table(table, layout)
        except (OSError, DecodeError) as error:
            logger.warning("%s: the series is left out: %s", written["task"], error)
            continue
        spans = list(_spans(written["spans"], series.times, run))
        yield LabelledSeries(series, spans, written["answers"].get(run.control.name))


def _spans(
    written: Sequence[Mapping[str, Any]], times: NDArray[np.float64], run: TrainingRun
) -> Iterator[tuple[str, int, int]]:
    """Yield the label, first and last row of each span; of an instant the nearest row."""
    for span in written:
        for label in span["labels"].get(run.control.name, ()):
            if label in run.labels:
                yield label, *_rows_between(times, span["start"], span["end"])


def _rows_between(times: NDArray[np.float64], start: float, end: float) -> Rows:
    first = int(np.searchsorted(times, start, "left"))
    last = int(np.searchsorted(times, end, "right")) - 1
    if first <= last:
        return first, last
    if len(times) == 1:
        return 0, 0
    near = min(max(first, 1), len(times) - 1)
    row = near - 1 if abs(times[near - 1] - start) <= abs(times[near] - start) else near
    return row, row
