"""Turns findings into regions on a series, and answers about all of it."""

from collections.abc import Iterator
from typing import Any

from backends.timeseries.finder import quality_method
from backends.timeseries.findings import SeriesFindings, TimedEvent
from backends.timeseries.layout import SeriesLayout
from backends.timeseries.tag_request import TagRequest
from backends.timeseries.words import METHOD, Method
from shared.backend import Claim, Control, UnfillableError, select_choices
from shared.backend.choices import allows_several
from shared.results import Region, TimeSeriesSpan, region, whole_task
from shared.results.time_format import format_time

# The stars of a Rating tag that does not say how many.
USUAL_RATING = 5


class SeriesRegions:
    """Builds the regions of one claim."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._layout: SeriesLayout = claim.options["layout"]
        self._request: TagRequest = claim.options["request"]

    def build(self, found: SeriesFindings) -> Iterator[Region]:
        """Yield the regions; UnfillableError if only a trained model could find any."""
        control = self._claim.control
        if control.tag == "Rating":
            yield from self._rate(found)
            return
        if not found.trained and not self._request.labels:
            raise UnfillableError(
                f"no method is for the labels of {control}: name one by {METHOD}, such as"
                f' {METHOD}="anomalies", or train a model'
            )
        if control.tag == "Choices":
            yield from self._choose(found)
        else:
            yield from self._spans(found)

    def _rate(self, found: SeriesFindings) -> Iterator[Region]:
        control = self._claim.control
        if found.rating is not None:
            yield whole_task(control, _stars(control, found.rating))
        elif self._request.rates and found.quality is not None:
            yield whole_task(control, _quality_stars(control, found.quality))
        else:
            raise UnfillableError(
                f"{control} rates what no method tells: it is filled once a model is trained"
            )

    def _choose(self, found: SeriesFindings) -> Iterator[Region]:
        control = self._claim.control
        scores = dict(found.scores)
        if not found.trained:
            scores = {
                label: max(found.scores.get(method.value, 0.0) for method in methods)
                for label, methods in self._request.labels.items()
            }
        chosen = select_choices(scores, self._claim, not allows_several(control))
        if chosen is not None:
            yield whole_task(control, chosen.answer, score=chosen.score)

    def _spans(self, found: SeriesFindings) -> Iterator[Region]:
        threshold = self._claim.options["score_threshold"]
        control = self._claim.control
        kinds: dict[str, list[tuple[str, Method | None]]] = {}
        if found.trained:
            kinds = {label: [(label, None)] for label in found.events if label in control.labels}
        else:
            for label, methods in self._request.labels.items():
                kinds[label] = [(method.value, method) for method in methods]
        for label, names in kinds.items():
            events = [
                (event, method) for name, method in names for event in found.events.get(name, ())
            ]
            for event, method in sorted(events, key=lambda pair: (pair[0].start, pair[0].end)):
                if event.score >= threshold:
                    yield self._span(label, event, method)

    def _span(self, label: str, event: TimedEvent, method: Method | None) -> Region:
        control, *others = self._claim.controls
        values: dict[Control, Any] = {control: [label]}
        for other in others:
            answer = self._answer(other, event, method)
            if answer is not None:
                values[other] = answer
        span = TimeSeriesSpan(self._time(event.start), self._time(event.end))
        written = self._layout.time_format or None
        return region(span, values, source=written, score=event.score)

    def _answer(self, control: Control, event: TimedEvent, method: Method | None) -> Any:
        """Return what a control tag about regions says of an event; None if nothing is known."""
        quality = event.quality
        if control.tag == "Rating":
            return None if quality is None else _quality_stars(control, quality)
        choices = self._request.choices.get(control.name, {})
        if method is not None and method in choices:
            return [choices[method]]
        if quality is not None and quality_method(quality) in choices:
            return [choices[quality_method(quality)]]
        return None

    def _time(self, time: float) -> float | str:
        """Return a time as the editor writes it."""
        return format_time(time, self._layout.time_format) if self._layout.has_dates else time


def _quality_stars(control: Control, quality: float) -> int:
    """Return the stars for a quality from 0 to 1: at least one, since none is no answer."""
    most = int(control.get_number("maxRating", USUAL_RATING, 1, 1000))
    return _stars(control, quality * most)


def _stars(control: Control, rating: float) -> int:
    most = int(control.get_number("maxRating", USUAL_RATING, 1, 1000))
    return min(max(round(rating), 1), most)
