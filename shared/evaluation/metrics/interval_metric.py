"""Spans of recordings, time series and timelines: a hit overlaps by half and has the same label."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.evaluation.metrics.labelled_regions import LabelledRegion, Pair, RegionTally
from shared.evaluation.metrics.metric import Outcome, Resampler, ScoredPredictions
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

# The overlap (IoU) from which a predicted span hits a true one.
MIN_OVERLAP = 0.5


class IntervalMetric:
    """Precision, recall and F1 at an overlap (IoU) of at least 0.5, and the mean IoU of hits.

    Spans match one to one, the highest score first. A span with several labels counts once for
    each.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._tally = RegionTally()

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's spans."""
        true_spans = LabelledRegion.of_regions(truth, self._control.name)
        predicted_spans = LabelledRegion.of_regions(predicted, self._control.name)
        pairs = _match_by_overlap(true_spans, predicted_spans)
        return self._tally.add(case, true_spans, predicted_spans, pairs)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures overall and by label."""
        return self._tally.figures(resampler, "mean_iou")

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        return self._tally.scored()


def _match_by_overlap(
    truth: Sequence[LabelledRegion], predicted: Sequence[LabelledRegion]
) -> list[Pair]:
    true_places, predicted_places = _places_by_label(truth), _places_by_label(predicted)
    pairs = []
    for label, rows in predicted_places.items():
        columns = true_places.get(label, [])
        own = [predicted[row].region for row in rows]
        similarities = similarity_matrix(own, [truth[column].region for column in columns])
        for row, column in match_by_score(similarities, [one.score for one in own], MIN_OVERLAP):
            similarity = float(similarities[row, column])
            pairs.append(Pair(rows[row], columns[column], similarity))
    return pairs


def _places_by_label(regions: Sequence[LabelledRegion]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(regions):
        places[one.label].append(place)
    return places
