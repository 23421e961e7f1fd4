"""Overlap of spans: characters of texts, seconds, frames, times of a series."""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.results import (
    AudioSpan,
    HyperTextSpan,
    ParagraphSpan,
    ParsedRegion,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
)

SPANS: tuple[type, ...] = (
    TextSpan,
    HyperTextSpan,
    ParagraphSpan,
    AudioSpan,
    TimeSeriesSpan,
    TimelineSpan,
)

# Start and end of a span, and what it lies on if there are several: a channel.
Extent = tuple[float, float, Any]


def span_iou(
    predicted: Sequence[ParsedRegion], truth: Sequence[ParsedRegion]
) -> NDArray[np.float64]:
    """Return the IoU of each two spans of one type, shape (predicted, truth).

    Spans without a length, such as instants, have an IoU of 1 with equal ones.
    """
    extents, true_extents = ([extent_of(one) for one in regions] for regions in (predicted, truth))
    found = interval_iou(_as_array(extents), _as_array(true_extents))
    tracks = np.array([[one[2] == other[2] for other in true_extents] for one in extents])
    return np.where(tracks, found, 0.0)


def interval_iou(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU of each two intervals; `predicted` has shape (n, 2), `truth` (m, 2)."""
    starts, ends = (predicted[:, None, side] for side in (0, 1))
    overlap = np.minimum(ends, truth[:, 1]) - np.maximum(starts, truth[:, 0])
    overlap = np.maximum(overlap, 0.0)
    union = (ends - starts) + (truth[:, 1] - truth[:, 0]) - overlap
    equal = (starts == truth[:, 0]) & (ends == truth[:, 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(union > 0, overlap / union, equal)


def extent_of(region: ParsedRegion) -> Extent:
    """Return start and end of a span as numbers of one axis, and the channel it lies on.

    Spans of paragraphs count in the whole dialogue's characters. Times of a series that are no
    numbers and no dates cannot be ordered: each such span overlaps only with an equal one.
    """
    span = region.shape
    if isinstance(span, ParagraphSpan):
        return _in_dialogue(span, region.source)
    if isinstance(span, TimeSeriesSpan):
        return _in_series(span)
    channel = span.channel if isinstance(span, AudioSpan) else None
    start, end = span.start, span.end  # type: ignore[attr-defined]
    return min(start, end), max(start, end), channel


def _in_dialogue(span: ParagraphSpan, dialogue: Any) -> Extent:
    before = [0, *accumulate(map(len, dialogue.texts))]
    last = span.paragraph if span.last is None else span.last
    start, end = (
        before[min(max(paragraph, 0), len(before) - 1)] + offset
        for paragraph, offset in ((span.paragraph, span.start), (last, span.end))
    )
    return min(start, end), max(start, end), None


def _in_series(span: TimeSeriesSpan) -> Extent:
    start, end = _time_number(span.start), _time_number(span.end)
    if start is None or end is None:
        return 0.0, 0.0, (str(span.start), str(span.end))
    return min(start, end), max(start, end), None


def _time_number(time: Any) -> float | None:
    """Return a time as a number; dates in seconds, those without a time zone as if in UTC."""
    if isinstance(time, str):
        try:
            return float(time)
        except ValueError:
            pass
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return None
    if isinstance(time, datetime):
        return (time - datetime(1970, 1, 1, tzinfo=time.tzinfo)).total_seconds()
    return float(time)


def _as_array(extents: Sequence[Extent]) -> NDArray[np.float64]:
    return np.array([extent[:2] for extent in extents], np.float64)
