"""Regions on time series: spans of the time column."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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

        `time_format` is the tag's `timeFormat`, in which dates are written. Without it they
        become seconds since 1970 (UTC).
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
        return time.strftime(time_format) if time_format else time.timestamp()
    return time if isinstance(time, str) else float(time)


def _parse_time(time: Any, time_format: str | None) -> Time:
    if isinstance(time, str) and time_format:
        try:
            return datetime.strptime(time, time_format)
        except ValueError:
            return time
    return time if isinstance(time, str) else float(time)
