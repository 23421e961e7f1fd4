"""What goes into a model, and what comes out of it: events with their times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.finder import MethodFinder, score_methods
from backends.timeseries.methods.event import Event
from backends.timeseries.methods.quality import signal_quality
from backends.timeseries.series import Series
from backends.timeseries.words import Method

# Events that are kept of each kind: the surest.
MAX_EVENTS = 1000


@dataclass(frozen=True, eq=False)
class SeriesItem:
    """A series, and what is asked of it: `methods`, and whether its quality is told."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    methods: tuple[Method, ...] = ()
    rates: bool = False

    @property
    def series(self) -> Series:
        """The series."""
        return Series(self.times, self.values)


@dataclass(frozen=True)
class TimedEvent:
    """An event from one time to another, in the units of the series' times."""

    start: float
    end: float
    score: float
    quality: float | None = None


@dataclass(frozen=True)
class SeriesFindings:
    """What was found in a series.

    - `events`: by method, or by the label of a trained model
    - `scores`: how sure it is that the whole series is that, by the same names
    - `quality`: of the signal, from 0 to 1; `rating`: what a trained model says
    - `trained`: whether a trained model says all this
    """

    events: Mapping[str, Sequence[TimedEvent]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    quality: float | None = None
    rating: float | None = None
    trained: bool = False


@dataclass(frozen=True)
class MethodModel:
    """The methods, as a model of the backend."""

    sensitivity: float = 1.0
    window: int = 0

    def find(self, item: SeriesItem) -> SeriesFindings:
        """Return what the methods that are asked for find."""
        series = item.series
        finder = MethodFinder(item.methods, self.sensitivity, self.window, item.rates)
        found = finder.find(series)
        scores = score_methods(item.methods, series, found)
        return SeriesFindings(
            {method.value: with_times(events, series) for method, events in found.items()},
            {method.value: score for method, score in scores.items()},
            signal_quality(series.values) if item.rates else None,
        )


def with_times(events: Sequence[Event], series: Series) -> list[TimedEvent]:
    """Return the surest events, in their order, with the times of their rows."""
    if len(events) > MAX_EVENTS:
        surest = sorted(events, key=lambda event: -event.score)[:MAX_EVENTS]
        events = sorted(surest, key=lambda event: event.start)
    return [
        TimedEvent(
            float(series.times[event.start]),
            float(series.times[event.end]),
            event.score,
            event.quality,
        )
        for event in events
    ]
