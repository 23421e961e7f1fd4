"""A project's own model, as a model of the backend."""

from dataclasses import dataclass

from backends.timeseries.finder import rate_events
from backends.timeseries.findings import SeriesFindings, SeriesItem, with_times
from backends.timeseries.training.sequence_model import SequenceModel
from backends.timeseries.training.whole_model import WholeModel


@dataclass(frozen=True)
class TrainedModel:
    """Finds in a series what it was trained for."""

    model: SequenceModel | WholeModel

    def find(self, item: SeriesItem) -> SeriesFindings:
        """Return the events of each label, or what the whole series is."""
        if isinstance(self.model, WholeModel):
            scores = self.model.score(item.values).tolist()
            if not self.model.classes:
                return SeriesFindings(rating=scores[0], trained=True)
            named = dict(zip(self.model.classes, scores, strict=True))
            return SeriesFindings(scores=named, trained=True)
        series = item.series
        found = self.model.find(item.values)
        if item.rates:
            found = {label: rate_events(events, series) for label, events in found.items()}
        timed = {label: with_times(events, series) for label, events in found.items()}
        return SeriesFindings(timed, trained=True)
