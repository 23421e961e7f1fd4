"""Time series: events, changes and segments found by methods, or by a model of one's own."""

from backends.timeseries.backend import TimeSeriesBackend

__all__ = ["TimeSeriesBackend"]
