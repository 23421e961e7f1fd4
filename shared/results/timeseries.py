"""Regions on time series: spans of the time column."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from shared.results.time_format import EPOCH, format_time, parse_time
from shared.results.types import ShapeValue

# As the time column has it: a number, or text in the tag's `timeFormat`.
Time = float | str | datetime


@dataclass(frozen=True)
class TimeSeriesSpan:
    """From `start` to `end` in the time column's unit; a single moment if they are equal."""

    start: Time
    end: Time

    def to_value(self, time_format: str | None = None) -> ShapeValue:
        """Return `start`, `end` and `instant`.

        `time_format` is the tag's `timeFormat`, in which dates are written, in UTC and to the
        millisecond, as the editor does. Without it they become seconds since 1970 (UTC).
        """
        start, end = _format_time(self.start, time_format), _format_time(self.end, time_format)
        return {"start": start, "end": end, "instant": start == end}, {}

    @classmethod
    def from_value(
        cls, value: Mapping[str, Any], time_format: str | None = None
    ) -> "TimeSeriesSpan":
        """Read the span of a result's `value`; texts that match `time_format` become dates."""
        return cls(_parse_time(value["start"], time_format), _parse_time(value["end"], time_format))


def _format_time(time: Time, time_format: str | None) -> float | str:
    if isinstance(time, datetime):
        if not time_format:
            return time.timestamp()
        plain = time.astimezone(timezone.utc).replace(tzinfo=None) if time.tzinfo else time
        return format_time((plain - EPOCH) / timedelta(milliseconds=1), time_format)
    return time if isinstance(time, str) else float(time)


def _parse_time(time: Any, time_format: str | None) -> Time:
    if not isinstance(time, str):
        return float(time)
    found = parse_time(time, time_format) if time_format else None
    return time if found is None else EPOCH + timedelta(milliseconds=found)
