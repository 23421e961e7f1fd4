"""Regions with labels, one unit for each label, and what pairs of them come to."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.metrics.figures import count_distinct
from shared.evaluation.metrics.label_counts import LabelCounts
from shared.evaluation.metrics.metric import (
    NO_LABEL,
    Match,
    Outcome,
    Resampler,
    ScoredPredictions,
)
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion


class LabelledRegion(NamedTuple):
    """A region with one of its labels; a region with several labels counts once for each.

    `place` is the object tag and the list's item that it lies on.
    """

    region: ParsedRegion
    label: str
    place: tuple[str, Any]

    @classmethod
    def of_regions(cls, regions: Iterable[ParsedRegion], control: str) -> "list[LabelledRegion]":
        """Return the regions' labels by the control tag of a name; NO_LABEL where none is."""
        found = []
        for region in regions:
            tag, value = control_value(region, control)
            labels = dict.fromkeys(labels_of(tag, value)) or (NO_LABEL,)
            place = (tag.to_name, region.region_keys.get("item_index") or 0)
            found += [cls(region, label, place) for label in labels]
        return found


class Pair(NamedTuple):
    """A predicted labelled region and the true one that it hits, by their places in lists."""

    predicted: int
    truth: int
    similarity: float


class RegionTally:
    """Counts pairs of labelled regions, case by case."""

    def __init__(self) -> None:
        self.counts = LabelCounts()
        self._cases = array("q")

    def add(
        self,
        case: int,
        truth: Sequence[LabelledRegion],
        predicted: Sequence[LabelledRegion],
        pairs: Sequence[Pair],
    ) -> Outcome:
        """Count one case's labelled regions and the pairs of them that match."""
        self._cases.append(case)
        hit_truths = {pair.truth for pair in pairs}
        hit_predicted = {pair.predicted for pair in pairs}
        self._count_labels(case, truth, predicted, pairs)
        for place, one in enumerate(predicted):
            if one.region.score is not None:
                self.counts.add_score(case, one.label, one.region.score, place in hit_predicted)
        total = len(truth) + len(predicted)
        return Outcome(
            [Match(truth[p.truth].region, predicted[p.predicted].region, p[2]) for p in pairs],
            [one.region for place, one in enumerate(truth) if place not in hit_truths],
            [one.region for place, one in enumerate(predicted) if place not in hit_predicted],
            2 * len(pairs) / total if total else None,
        )

    def figures(self, resampler: Resampler, similarity: str = "") -> dict[str, Any]:
        """Return the figures overall and by label; all cases count, those without regions too."""
        return {
            "tasks": count_distinct(np.array(self._cases, np.int64)),
            **self.counts.figures(resampler, similarity),
            **self.counts.label_figures(resampler, similarity),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        return self.counts.scored()

    def _count_labels(
        self,
        case: int,
        truth: Sequence[LabelledRegion],
        predicted: Sequence[LabelledRegion],
        pairs: Sequence[Pair],
    ) -> None:
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        similarities: dict[str, float] = defaultdict(float)
        for pair in pairs:
            counts[truth[pair.truth].label][0] += 1
            similarities[truth[pair.truth].label] += pair.similarity
        for place, side in ((1, truth), (2, predicted)):
            for one in side:
                counts[one.label][place] += 1
        for label, (hits, truths, predictions) in counts.items():
            self.counts.add(case, label, (hits, truths, predictions), similarities[label])


def control_value(region: ParsedRegion, control: str) -> tuple[Control, Any]:
    """Return the control tag of a name, as it is on the region's object tag, and its value."""
    return next((tag, value) for tag, value in region.values.items() if tag.name == control)


def order_by_score(regions: Sequence[LabelledRegion]) -> list[int]:
    """Return the regions' places, those of the highest scores first; without scores in order."""
    return sorted(range(len(regions)), key=lambda place: -(regions[place].region.score or 0.0))
