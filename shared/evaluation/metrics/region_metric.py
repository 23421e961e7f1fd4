"""Regions on images: precision, recall, F1, COCO's average precision, IoU of what is matched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.metrics.average_precision import THRESHOLDS
from shared.evaluation.metrics.metric import (
    NO_LABEL,
    Match,
    Outcome,
    Resampler,
    ScoredPredictions,
)
from shared.evaluation.metrics.region_counts import Detection, RegionCounts
from shared.evaluation.metrics.region_figures import region_figures
from shared.evaluation.similarity.matching import Candidate, match_at_thresholds
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control, ObjectTag
from shared.results import ParsedRegion

LEVELS: list[float] = THRESHOLDS.tolist()


class _Entry(NamedTuple):
    """A region, by its place, as one of its labels."""

    place: int
    label: str


class RegionMetric:
    """Compares regions that are drawn on images: boxes, polygons, ellipses, masks, points, lines.

    A region with several labels counts for each of them; one without a label counts overall only.
    A prediction hits a true region of the same label with a similarity of 0.5 or more (see
    `similarity_matrix`); one region is hit once, and the highest score chooses first. `ap50` and
    `ap` are COCO's, the mean over the labels that have true regions; they rank predictions by
    their scores, so that they lack where no prediction has one (one without a score is ranked
    last). `regions` counts regions overall, and labels of regions by label.

    A case's score is its F1; 1 if nothing is there and nothing was predicted.
    """

    def __init__(self, control: Control, target: ObjectTag | None = None) -> None:
        self._control = control
        self._counts = RegionCounts()

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's regions; `case` counts from 0."""
        if not truth and not predicted:
            return Outcome(score=1.0)
        true_entries, entries = self._entries_of(truth), self._entries_of(predicted)
        scores = [predicted[entry.place].score for entry in entries]
        order = sorted(range(len(entries)), key=lambda number: -(scores[number] or 0.0))
        candidates = list(
            _find_candidates(similarity_matrix(predicted, truth), entries, true_entries)
        )
        matches, bits = match_at_thresholds(candidates, order, LEVELS)
        self._counts.add_regions(len(truth), len(predicted))
        self._counts.add_truths(case, (entry.label for entry in true_entries))
        similarities = {number: match.similarity for number, match in matches.items()}
        self._counts.add_detections(
            case,
            [
                Detection(
                    entries[number].label,
                    scores[number],
                    bits.get(number, 0),
                    similarities.get(number, 0.0),
                )
                for number in order
            ],
        )
        return _outcome(truth, predicted, (true_entries, entries), matches)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures overall and by label."""
        return region_figures(self._counts, resampler)

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label that has regions."""
        return self._counts.scored()

    def _entries_of(self, regions: Sequence[ParsedRegion]) -> list[_Entry]:
        return [
            _Entry(place, label)
            for place, region in enumerate(regions)
            for label in self._labels_of(region)
        ]

    def _labels_of(self, region: ParsedRegion) -> Iterable[str]:
        control = self._control
        # a task's own labels make its control tags others, which have the same name
        value = region.values.get(control) or value_of(region, control.name)
        labels = labels_of(control, value)
        return labels if len(labels) == 1 else dict.fromkeys(labels or (NO_LABEL,))


def _find_candidates(
    similarities: Any, entries: Sequence[_Entry], true_entries: Sequence[_Entry]
) -> Iterator[Candidate]:
    """Yield what is similar enough and has an equal label, in the order of the entries."""
    rows, columns = np.nonzero(similarities >= LEVELS[0])
    if not len(rows):
        return
    of_place: dict[int, list[int]] = {}
    for number, entry in enumerate(entries):
        of_place.setdefault(entry.place, []).append(number)
    by_label = {(entry.place, entry.label): number for number, entry in enumerate(true_entries)}
    values = similarities[rows, columns].tolist()
    for row, column, value in zip(rows.tolist(), columns.tolist(), values, strict=True):
        for number in of_place[row]:
            true = by_label.get((column, entries[number].label))
            if true is not None:
                yield Candidate(number, true, value)


def _outcome(
    truth: Sequence[ParsedRegion],
    predicted: Sequence[ParsedRegion],
    entries: tuple[Sequence[_Entry], Sequence[_Entry]],
    matches: Mapping[int, Candidate],
) -> Outcome:
    """Return what became of the regions; one of several labels may be both hit and missed."""
    true_entries, predicted_entries = entries
    hit = {match.true for match in matches.values()}
    missed = dict.fromkeys(e.place for n, e in enumerate(true_entries) if n not in hit)
    invented = dict.fromkeys(e.place for n, e in enumerate(predicted_entries) if n not in matches)
    hits = [
        Match(
            truth[true_entries[match.true].place],
            predicted[predicted_entries[match.predicted].place],
            match.similarity,
        )
        for match in matches.values()
    ]
    return Outcome(
        hits,
        [truth[place] for place in missed],
        [predicted[place] for place in invented],
        2 * len(hits) / (len(true_entries) + len(predicted_entries)),
    )
