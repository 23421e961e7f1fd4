"""Spans of texts, documents and dialogues: a hit has the same offsets and the same label."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.evaluation.metrics.labelled_regions import (
    LabelledRegion,
    Pair,
    RegionTally,
    order_by_score,
)
from shared.evaluation.metrics.metric import Outcome, Resampler, ScoredPredictions
from shared.evaluation.metrics.span_schemes import SpanSchemes
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion


class SpanMetric:
    """Precision, recall and F1 of exact matches, and the four schemes of nervaluate.

    Spans match one to one. A span with several labels counts once for each.
    """

    def __init__(self, control: Control, problems: ProblemLog | None = None) -> None:
        """`problems` gets a message if the schemes cannot be had."""
        self._control = control
        self._tally = RegionTally()
        self._schemes = SpanSchemes.load(problems)

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's spans."""
        true_spans = LabelledRegion.of_regions(truth, self._control.name)
        predicted_spans = LabelledRegion.of_regions(predicted, self._control.name)
        if self._schemes is not None:
            self._schemes.add(case, true_spans, predicted_spans)
        pairs = _match_exactly(true_spans, predicted_spans)
        return self._tally.add(case, true_spans, predicted_spans, pairs)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures overall, by scheme and by label."""
        schemes = self._schemes.figures(resampler) if self._schemes is not None else {}
        return {**self._tally.figures(resampler), **schemes}

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        return self._tally.scored()


def _match_exactly(
    truth: Sequence[LabelledRegion], predicted: Sequence[LabelledRegion]
) -> list[Pair]:
    """Pair spans with equal offsets and labels one to one, the highest score first."""
    left: dict[Any, list[int]] = defaultdict(list)
    for place in reversed(range(len(truth))):
        left[_key_of(truth[place])].append(place)
    pairs = []
    for place in order_by_score(predicted):
        equal = left.get(_key_of(predicted[place]))
        if equal:
            pairs.append(Pair(place, equal.pop(), 1.0))
    return pairs


def _key_of(span: LabelledRegion) -> Any:
    return span.place, span.region.shape, span.label
