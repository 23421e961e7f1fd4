"""Regions in time as bars on a line: seconds of audio, the time column of a series, frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from shared.evaluation.report.marks import Kind, Mark
from shared.results import AudioSpan, TimelineSpan, TimeSeriesSpan, VideoTrack

# The shortest bar, in percent of the line.
MIN_BAR_PERCENT = 0.4


class Bar(NamedTuple):
    """A region's bar: where it begins and how long it is, in percent of the line."""

    kind: Kind
    label: str
    number: int | None
    left: float
    width: float


class BarRow(NamedTuple):
    """Bars that do not overlap; `name` stands before the first row of what is true or predicted."""

    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Timeline:
    """The rows of bars, and what stands at the line's ends."""

    rows: Sequence[BarRow]
    start: str
    end: str


class _Interval(NamedTuple):
    start: float
    end: float
    mark: Mark


def draw_timeline(marks: Sequence[Mark]) -> Timeline | None:
    """Draw the regions that lie in time; None if there are none."""
    found = [one for mark in marks for one in _intervals_of(mark)]
    if not found:
        return None
    low, high = min(one.start for one in found), max(one.end for one in found)
    shapes = [mark.region.shape for mark in marks]
    if isinstance(shapes[0], AudioSpan):
        length = next((m.region.source for m in marks if isinstance(m.region.source, float)), high)
        low, high = 0.0, max(high, length)
    elif isinstance(shapes[0], TimelineSpan | VideoTrack):
        low = 0.0
    rows = [
        BarRow(name if not at else "", lane)
        for name, kinds in (("true", ("truth", "miss")), ("predicted", ("hit", "invention")))
        for at, lane in enumerate(_lanes([o for o in found if o.mark.kind in kinds], low, high))
    ]
    return Timeline(rows, _format_end(low, shapes[0]), _format_end(high, shapes[0]))


def _intervals_of(mark: Mark) -> Iterable[_Interval]:
    shape = mark.region.shape
    if isinstance(shape, VideoTrack):
        for start, end in _visible_frames(shape):
            yield _Interval(start, end, mark)
        return
    if not isinstance(shape, AudioSpan | TimelineSpan | TimeSeriesSpan):
        return
    low, high = _to_number(shape.start), _to_number(shape.end)
    if low is not None and high is not None:
        yield _Interval(low, high, mark)


def _visible_frames(track: VideoTrack) -> Iterable[tuple[int, int]]:
    """Yield the frames from each box to the next one, until one that is not enabled."""
    boxes = sorted(track.boxes, key=lambda box: box.frame)
    start: int | None = None
    for box in boxes:
        start = box.frame if start is None else start
        if not box.enabled:
            yield start, box.frame + 1
            start = None
    if start is not None:
        yield start, boxes[-1].frame + 1


def _to_number(time: Any) -> float | None:
    if isinstance(time, datetime):
        return time.replace(tzinfo=time.tzinfo or timezone.utc).timestamp()
    try:
        return float(time)
    except ValueError:
        return None


def _lanes(intervals: Sequence[_Interval], low: float, high: float) -> list[list[Bar]]:
    """Lay the bars in as few rows as hold them without overlap; one empty row for none."""
    whole = (high - low) or 1.0
    lanes: list[tuple[float, list[Bar]]] = []
    for one in sorted(intervals, key=lambda one: one.start):
        left = 100 * (one.start - low) / whole
        width = max(100 * (one.end - one.start) / whole, MIN_BAR_PERCENT)
        bar = Bar(one.mark.kind, one.mark.label, one.mark.number, min(left, 100 - width), width)
        free = next((at for at, (end, _) in enumerate(lanes) if end <= left), None)
        if free is None:
            lanes.append((left + width, [bar]))
        else:
            lanes[free] = left + width, [*lanes[free][1], bar]
    return [bars for _, bars in lanes] or [[]]


def _format_end(number: float, shape: Any) -> str:
    if isinstance(shape, AudioSpan):
        return f"{number:.2f} s"
    if isinstance(shape, TimelineSpan | VideoTrack):
        return f"frame {number:.0f}"
    if isinstance(getattr(shape, "start", None), datetime):
        return datetime.fromtimestamp(number, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    return f"{number:g}"
