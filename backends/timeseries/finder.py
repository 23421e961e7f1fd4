"""Runs methods on a series, each once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.timeseries.methods.anomalies import find_anomalies
from backends.timeseries.methods.changes import find_changes, find_segments
from backends.timeseries.methods.event import Event
from backends.timeseries.methods.gaps import find_gaps, find_still
from backends.timeseries.methods.quality import find_predictable, find_qualities, signal_quality
from backends.timeseries.methods.spikes import find_spikes
from backends.timeseries.methods.trend import find_trends, last_trend
from backends.timeseries.series import Series
from backends.timeseries.words import QUALITIES, TRENDS, Method

# From these qualities on a signal is medium and good.
MEDIUM_QUALITY, GOOD_QUALITY = 1 / 3, 2 / 3


@dataclass(frozen=True)
class MethodFinder:
    """The methods of a ModelSpec, and how they look: see TimeSeriesSettings."""

    methods: tuple[Method, ...]
    sensitivity: float = 1.0
    window: int = 0
    rates: bool = False
    """Whether the quality of each event is told."""

    def find(self, series: Series) -> dict[Method, list[Event]]:
        """Return the events of each method; those of a quality or trend are found together."""
        found: dict[Method, list[Event]] = {}
        for method in self.methods:
            if method not in found:
                found |= self._run(method, series)
        wanted = {method: found.get(method, []) for method in self.methods}
        if self.rates:
            return {method: rate_events(events, series) for method, events in wanted.items()}
        return wanted

    def _run(self, method: Method, series: Series) -> Mapping[Method, list[Event]]:
        values = series.values
        if method in QUALITIES:
            return _by_quality(find_qualities(values, self.sensitivity))
        if method in TRENDS:
            trends = find_trends(values)
            return {one: trends[one.value] for one in TRENDS}
        if method is Method.anomalies:
            return {method: find_anomalies(values, self.sensitivity, self.window)}
        if method is Method.gaps:
            return {method: find_gaps(series)}
        if method is Method.still:
            return {method: find_still(values)}
        if method in _BY_VALUES:
            return {method: _BY_VALUES[method](values, self.sensitivity)}
        return {}


_BY_VALUES = {
    Method.spikes: find_spikes,
    Method.changes: find_changes,
    Method.segments: find_segments,
    Method.predictable: find_predictable,
}


def _by_quality(events: Iterable[Event]) -> dict[Method, list[Event]]:
    found: dict[Method, list[Event]] = {method: [] for method in QUALITIES}
    for event in events:
        found[quality_method(event.quality or 0.0)].append(event)
    return found


def quality_method(quality: float) -> Method:
    """Return whether a quality is good, medium or poor."""
    if quality >= GOOD_QUALITY:
        return Method.good
    return Method.medium if quality >= MEDIUM_QUALITY else Method.poor


def rate_events(events: Sequence[Event], series: Series) -> list[Event]:
    """Return events with the quality of the signal in each; that of instants is not told."""
    return [
        event
        if event.quality is not None or event.start == event.end
        else replace(event, quality=signal_quality(series.values[event.start : event.end + 1]))
        for event in events
    ]


def score_methods(
    methods: Iterable[Method], series: Series, found: Mapping[Method, Sequence[Event]]
) -> dict[Method, float]:
    """Return how sure it is that a whole series is what a method looks for, from 0 to 1."""
    trend, trend_score = last_trend(series.values)
    quality = signal_quality(series.values)
    scores = {}
    for method in methods:
        if method in TRENDS:
            scores[method] = trend_score if method.value == trend else (1 - trend_score) / 2
        elif method in QUALITIES:
            scores[method] = 1.0 if method is quality_method(quality) else 0.0
        elif method is Method.predictable:
            scores[method] = quality
        elif method is not Method.normal:
            scores[method] = max((event.score for event in found.get(method, ())), default=0.0)
    if Method.normal in methods:
        others = (score for method, score in scores.items() if method not in TRENDS)
        scores[Method.normal] = 1 - max(others, default=0.0)
    return scores
