"""Regions on time series: spans of the time column."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Value = tuple[dict[str, Any], dict[str, Any]]

# As the time column has it: a number, or text in the tag's `timeFormat`.
Time = float | str | datetime


@dataclass(frozen=True)
class TimeSeriesSpan:
    """From `start` to `end`; one moment, if they are equal."""

    start: Time
    end: Time

    def to_value(self, on: str | None = None) -> Value:
        """As `start`, `end`, `instant`; `on` is the tag's `timeFormat`, for dates."""
        start, end = _format_time(self.start, on), _format_time(self.end, on)
        return {"start": start, "end": end, "instant": start == end}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: str | None = None) -> "TimeSeriesSpan":
        """From a result's `value`; with a `timeFormat` as dates, if they read so."""
        return cls(_parse_time(value["start"], on), _parse_time(value["end"], on))


def _format_time(time: Time, time_format: str | None) -> float | str:
    if isinstance(time, datetime):
        return time.strftime(time_format) if time_format else time.timestamp()
    return time if isinstance(time, str) else float(time)


def _parse_time(time: Any, time_format: str | None) -> Time:
    if isinstance(time, str) and time_format:
        try:
            return datetime.strptime(time, time_format)
        except ValueError:
            return time
    return time if isinstance(time, str) else float(time)
