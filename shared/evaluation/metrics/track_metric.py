"""Tracks through videos: HOTA and IDF1, frame by frame between their key frames."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require
from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.metrics.bootstrap import percentile_interval
from shared.evaluation.metrics.figures import with_intervals
from shared.evaluation.metrics.metric import (
    NO_LABEL,
    Match,
    Outcome,
    Resampler,
    ScoredPredictions,
)
from shared.evaluation.metrics.region_counts import Detection, RegionCounts
from shared.evaluation.metrics.resampled_totals import resampled_totals
from shared.evaluation.metrics.track_sequence import TrackSequence
from shared.evaluation.problems import ProblemLog
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.track_frames import MAX_TRACK_FRAMES, draw_tracks, is_too_long
from shared.label_studio.label_config import Control, ObjectTag
from shared.results import ParsedRegion, VideoTrack

Floats = NDArray[np.float64]

# The mean IoU over all frames from which a predicted track is drawn as a hit in the report.
MIN_TRACK_IOU = 0.5

# What HOTA sums up at each of its thresholds: true positives, misses and inventions, and the
# association accuracy of the true positives. What IDF1 sums up.
HOTA_COLUMNS = ("HOTA_TP", "HOTA_FN", "HOTA_FP", "AssA")
IDENTITY_COLUMNS = ("IDTP", "IDFN", "IDFP")


class _Comparison(NamedTuple):
    """Tracks of one label in one case: their places among the case's, and what they sum up to."""

    label: str
    true_places: Sequence[int]
    places: Sequence[int]
    pairs: Sequence[tuple[int, int, float]]
    sums: Floats


class TrackMetric:
    """Compares tracks of boxes by HOTA (Luiten et al., 2021) and IDF1 (Ristani et al., 2016).

    Both are computed by trackeval, for each label of each video; tracks of different labels are
    never compared. `hota` is the mean over the 19 thresholds of the IoU, `idf1` stands on 0.5.
    Results do not tell a video's size: boxes are compared in percent, which leaves the IoU of
    upright boxes as it is; frames are taken as 16:9 where a box is turned. `regions` counts tracks.

    A case's score is its IDF1; 1 if nothing is there and nothing was predicted. Hits of an outcome
    are tracks with a mean IoU of 0.5 or more over all frames on which one of the two is shown.
    """

    def __init__(
        self,
        control: Control,
        target: ObjectTag | None = None,
        problems: ProblemLog | None = None,
    ) -> None:
        metrics = require("trackeval.metrics", "evaluate")
        self._hota = metrics.HOTA()
        self._identity = metrics.Identity({"PRINT_CONFIG": False})
        self._columns = len(HOTA_COLUMNS) * len(self._hota.array_labels) + len(IDENTITY_COLUMNS)
        self._control = control
        self._problems = problems
        self._counts = RegionCounts()
        self._cases = array("q")
        self._labels: list[str] = []
        self._sums = array("d")

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's tracks; `case` counts from 0."""
        truth, predicted = self._usable_tracks(truth), self._usable_tracks(predicted)
        if not truth and not predicted:
            return Outcome(score=1.0)
        self._counts.add_regions(len(truth), len(predicted))
        found = self._compare(truth, predicted)
        for comparison in found:
            self._keep(case, comparison, predicted)
        return _outcome(truth, predicted, found, self._score_of(found))

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures overall and by label."""
        counts = self._counts
        cases = np.array(self._cases, np.int64)
        sums = np.array(self._sums, np.float64).reshape(len(cases), self._columns)
        regions = {"truth": counts.true_regions, "predicted": counts.predicted_regions}
        overall = {
            "regions": regions,
            "tasks": len(np.unique(cases)),
            **self._figures_of(cases, sums, resampler),
        }
        labels = {}
        for label in sorted(set(self._labels) - {NO_LABEL}):
            rows = np.array([one == label for one in self._labels], bool)
            labels[label] = {
                "regions": counts.of_label(label),
                "tasks": len(np.unique(cases[rows])),
                **self._figures_of(cases[rows], sums[rows], resampler),
            }
        return {**overall, "labels": labels} if labels else overall

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored tracks of each label; empty where there are no scores."""
        return self._counts.scored()

    def _usable_tracks(self, regions: Sequence[ParsedRegion]) -> list[ParsedRegion]:
        tracks = [region for region in regions if isinstance(region.shape, VideoTrack)]
        usable = [region for region in tracks if not is_too_long(region)]
        if self._problems is not None and len(usable) < len(tracks):
            self._problems.add(
                f"tracks of {self._control.name} have key frames after frame {MAX_TRACK_FRAMES},"
                " as no video has: they are left out"
            )
        return usable

    def _compare(
        self, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> list[_Comparison]:
        true_places, places = self._places_by_label(truth), self._places_by_label(predicted)
        true_drawn, drawn = draw_tracks(truth, predicted)
        found = []
        for label in dict.fromkeys((*true_places, *places)):
            rows, columns = places.get(label, []), true_places.get(label, [])
            sequence = TrackSequence([true_drawn[n] for n in columns], [drawn[n] for n in rows])
            similar = sequence.mean_iou()
            scores = [predicted[row].score for row in rows]
            pairs = [
                (rows[row], columns[column], float(similar[row, column]))
                for row, column in match_by_score(similar, scores, MIN_TRACK_IOU)
            ]
            found.append(_Comparison(label, columns, rows, pairs, self._sums_of(sequence)))
        return found

    def _places_by_label(self, regions: Sequence[ParsedRegion]) -> dict[str, list[int]]:
        control = self._control
        places: dict[str, list[int]] = {}
        for place, region in enumerate(regions):
            labels = labels_of(control, value_of(region, control.name)) or (NO_LABEL,)
            for label in dict.fromkeys(labels):
                places.setdefault(label, []).append(place)
        return places

    def _sums_of(self, sequence: TrackSequence) -> Floats:
        """Return trackeval's sums over a sequence, those of HOTA for each of its thresholds."""
        data = sequence.to_trackeval()
        hota, identity = self._hota.eval_sequence(data), self._identity.eval_sequence(data)
        return np.concatenate(
            [
                *(hota[column] for column in HOTA_COLUMNS[:-1]),
                hota["AssA"] * hota["HOTA_TP"],
                [identity[column] for column in IDENTITY_COLUMNS],
            ]
        )

    def _keep(self, case: int, comparison: _Comparison, predicted: Sequence[ParsedRegion]) -> None:
        label = comparison.label
        self._cases.append(case)
        self._labels.append(label)
        self._sums.extend(comparison.sums.tolist())
        self._counts.add_truths(case, [label] * len(comparison.true_places))
        hits = {place: similarity for place, _, similarity in comparison.pairs}
        self._counts.add_detections(
            case,
            [
                Detection(label, predicted[n].score, int(n in hits), hits.get(n, 0.0))
                for n in comparison.places
            ],
        )

    def _score_of(self, comparisons: Sequence[_Comparison]) -> float:
        idf1 = _idf1(np.sum([one.sums for one in comparisons], axis=0))
        return float(np.nan_to_num(idf1))

    def _figures_of(self, cases: NDArray[np.int64], sums: Floats, resampler: Resampler) -> Any:
        """Return `hota` and `idf1` of sequences, with their intervals; nothing of no frames."""
        total = sums.sum(axis=0)
        if not total.any():
            return {}
        rows, columns = np.nonzero(sums)
        resampled = resampled_totals(
            resampler, cases[rows], columns, sums[rows, columns], sums.shape[1]
        )
        drawn = resampled[resampled.any(axis=1)]
        intervals = {
            "hota": percentile_interval(_hota(drawn)),
            "idf1": percentile_interval(_idf1(drawn)),
        }
        return {
            "hota": float(_hota(total)),
            "idf1": float(_idf1(total)),
            **with_intervals(intervals),
        }


def _hota(sums: Floats) -> Floats:
    """Return HOTA, the mean over its thresholds, of sums of shape (…, columns).

    As trackeval's `combine_sequences`: detections are summed, association accuracies averaged
    over the true positives.
    """
    per_threshold = np.split(sums[..., : -len(IDENTITY_COLUMNS)], len(HOTA_COLUMNS), axis=-1)
    hits, misses, inventions, associations = per_threshold
    detection = hits / np.maximum(hits + misses + inventions, 1)
    found: Floats = np.sqrt(detection * associations / np.maximum(hits, 1)).mean(axis=-1)
    return found


def _idf1(sums: Floats) -> Floats:
    hits, misses, inventions = np.moveaxis(sums[..., -len(IDENTITY_COLUMNS) :], -1, 0)
    found: Floats = hits / np.maximum(hits + (misses + inventions) / 2, 1)
    return found


def _outcome(
    truth: Sequence[ParsedRegion],
    predicted: Sequence[ParsedRegion],
    comparisons: Sequence[_Comparison],
    score: float,
) -> Outcome:
    pairs = [pair for comparison in comparisons for pair in comparison.pairs]
    hit, found = {true for _, true, _ in pairs}, {place for place, _, _ in pairs}
    return Outcome(
        [Match(truth[true], predicted[place], similarity) for place, true, similarity in pairs],
        [region for place, region in enumerate(truth) if place not in hit],
        [region for place, region in enumerate(predicted) if place not in found],
        score,
    )
