"""Trains a model of spans and instants from annotated series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.series import Series
from backends.timeseries.training.features import FeatureSettings
from backends.timeseries.training.labelled import LabelledSeries
from backends.timeseries.training.ridge import Matrix, RidgeSums
from backends.timeseries.training.sequence_model import ANCHORS, SequenceModel, anchor_row
from backends.timeseries.training.smoothing import fit_sharpness, learn_transitions
from shared.backend import TrainingError, TrainingRun

# Spans of up to so many rows are instants, where most of a label's are.
INSTANT_ROWS = 2
# The lengths of windows, between which those of the labels lie.
LEAST_WINDOW, LARGEST_WINDOW = 12, 512
# Points that are looked at in each window, and at most in all series together.
WINDOW_HOPS = 16
MAX_WINDOWS = 40_000
STRENGTHS = (1e-4, 1e-3, 1e-2, 0.1, 1.0)
TRUSTS = (1.0, 0.5, 0.25, 0.1)
# A rare class counts at most so many times as much as it is frequent.
MAX_WEIGHT = 20.0
MIN_OVERLAP = 0.5
# Of spans, so much of the shortest usual one is the least that is kept.
LEAST_SHARE = 0.3


@dataclass(frozen=True)
class SequenceTraining:
    """One training: `window` is the length of windows in rows, 0 for one by the labels' lengths."""

    run: TrainingRun
    window: int
    class_weights: bool

    def fit(self, train: Sequence[LabelledSeries], val: Sequence[LabelledSeries]) -> SequenceModel:
        """Return the model that does best on the validation series, or on those of the training."""
        instants = self._find_instants(train)
        features = self._choose_features(train, instants)
        truths = [self._rows_to_learn(one, instants, features) for one in train]
        sums = self._sum_up(train, truths, features)
        model = self._begin(train, instants, features, truths)
        checked = list(val or train)
        heads = sums.solve(STRENGTHS)
        scored = [score_heads(features, one.series, heads) for one in checked]
        truth = np.concatenate([self._rows_to_learn(one, instants, features) for one in checked])
        fits = [
            fit_sharpness(np.concatenate([scores[place] for _, scores in scored]), truth)
            for place in range(len(heads))
        ]
        best = min(range(len(heads)), key=lambda place: fits[place][1])
        (weights, offset), (sharpness, loss) = heads[best], fits[best]
        chosen = replace(model, weights=weights, offset=offset, sharpness=sharpness)
        own = [(rows, scores[best]) for rows, scores in scored]
        f1, found = max(
            ((span_f1(one, checked, own), one) for one in _with_trusts(chosen)),
            key=lambda pair: pair[0],
        )
        self.run.report(1, 1, loss=loss, val_loss=loss, f1=f1)
        return found

    def _find_instants(self, train: Sequence[LabelledSeries]) -> dict[str, str]:
        """Return by each label whose spans are mostly moments where in its rows it lies."""
        lengths: dict[str, list[int]] = {}
        for one in train:
            for label, first, last in one.spans:
                lengths.setdefault(label, []).append(last - first + 1)
        if not lengths:
            raise TrainingError(f"{self.run.control}: no series to learn from has a span")
        names = [label for label, all_of in lengths.items() if np.median(all_of) <= INSTANT_ROWS]
        return {label: _best_anchor(train, label) for label in names}

    def _choose_features(
        self, train: Sequence[LabelledSeries], instants: dict[str, str]
    ) -> FeatureSettings:
        lengths = [
            last - first + 1
            for one in train
            for label, first, last in one.spans
            if label not in instants
        ]
        usual = float(np.quantile(lengths, 0.25)) / 2 if lengths else LEAST_WINDOW * 2
        window = self.window or int(np.clip(usual, LEAST_WINDOW, LARGEST_WINDOW))
        hop = max(window // WINDOW_HOPS, 1) if lengths else 1
        scales = tuple(sorted({max(window // 3, 5), window}))
        return FeatureSettings.fit([one.series for one in train], scales, hop, self.run.seed)

    def _rows_to_learn(
        self, one: LabelledSeries, instants: dict[str, str], features: FeatureSettings
    ) -> NDArray[np.int64]:
        """Return the class of each row that is looked at; around an instant a few are of it."""
        reach = max(features.hop, features.scales[0] // 4)
        last_row = len(one.series) - 1
        spans = [
            (label, max(first - reach, 0), min(last + reach, last_row))
            if label in instants
            else (label, first, last)
            for label, first, last in one.spans
        ]
        return replace(one, spans=spans).label_rows(self.run.labels)[:: features.hop]

    def _sum_up(
        self,
        train: Sequence[LabelledSeries],
        truths: Sequence[NDArray[np.int64]],
        features: FeatureSettings,
    ) -> RidgeSums:
        count = len(self.run.labels) + 1
        weights = self._weights(np.concatenate(truths), count)
        step = -(-sum(map(len, truths)) // MAX_WINDOWS)
        sums = RidgeSums(features.count, count)
        for one, truth in zip(train, truths, strict=True):
            at = 0
            for rows, found in features.extract(one.series.values):
                classes = truth[at : at + len(rows)]
                at += len(rows)
                chosen = _spread(classes, step)
                targets = np.eye(count)[classes[chosen]] * 2 - 1
                sums.add(found[chosen], targets, weights[classes[chosen]])
        return sums

    def _weights(self, truth: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        if not self.class_weights:
            return np.ones(count)
        counts = np.bincount(truth, minlength=count)
        weights = np.sqrt(len(truth) / (count * np.maximum(counts, 1)))
        return np.asarray(np.minimum(weights / weights.min(), MAX_WEIGHT))

    def _begin(
        self,
        train: Sequence[LabelledSeries],
        instants: dict[str, str],
        features: FeatureSettings,
        truths: Sequence[NDArray[np.int64]],
    ) -> SequenceModel:
        count = len(self.run.labels) + 1
        lengths = [
            last - first + 1
            for one in train
            for label, first, last in one.spans
            if label not in instants
        ]
        least = int(LEAST_SHARE * float(np.quantile(lengths, 0.05))) if lengths else 1
        empty = np.zeros((features.count, count)), np.zeros(count)
        transitions = learn_transitions(truths, count)
        channels = train[0].series.channels
        labels = tuple(self.run.labels)
        return SequenceModel(
            features, labels, channels, instants, *empty, 1.0, 1.0, transitions, max(least, 1)
        )


def score_heads(
    features: FeatureSettings, series: Series, heads: Sequence[tuple[Matrix, Matrix]]
) -> tuple[NDArray[np.int64], list[Matrix]]:
    """Return the rows that are looked at, and the scores of each head, by the same features."""
    weights = np.concatenate([one for one, _ in heads], axis=1)
    offset = np.concatenate([one for _, one in heads])
    rows, scores = [], []
    for part, found in features.extract(series.values):
        rows.append(part)
        scores.append(found @ weights + offset)
    return np.concatenate(rows), np.split(np.concatenate(scores), len(heads), axis=1)


def _with_trusts(model: SequenceModel) -> list[SequenceModel]:
    return [replace(model, trust=trust) for trust in TRUSTS]


def _spread(classes: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Return every `step`-th place of what has no label, and all places of what has one."""
    places = np.arange(len(classes))
    return np.asarray(
        places[(places % step == 0) | ((classes > 0) & (places % max(step // 4, 1) == 0))]
    )


def _best_anchor(train: Sequence[LabelledSeries], label: str) -> str:
    """Return where an instant lies in the rows around it, by those of the training."""
    far = dict.fromkeys(ANCHORS, 0.0)
    for one, anchor in product(train, ANCHORS):
        for name, first, last in one.spans:
            if name == label:
                row = (first + last) // 2
                begin, end = max(row - 5, 0), min(row + 4, len(one.series) - 1)
                found = anchor_row(one.series.values, begin, end, anchor)
                far[anchor] += min(abs(found - row), 5)
    return min(ANCHORS, key=lambda anchor: far[anchor])


def span_f1(
    model: SequenceModel,
    checked: Sequence[LabelledSeries],
    scored: Sequence[tuple[NDArray[np.int64], Matrix]],
) -> float:
    """Return F1 of the spans that overlap by half, and of the instants that are near."""
    hits = found = true = 0
    for one, (rows, scores) in zip(checked, scored, strict=True):
        events = model.find_by_scores(one.series.values, rows, scores)
        for label in model.classes:
            truth = [(first, last) for name, first, last in one.spans if name == label]
            predicted = [(event.start, event.end) for event in events[label]]
            hits += _count_hits(
                predicted, truth, model.features.hop if label in model.instants else 0
            )
            found, true = found + len(predicted), true + len(truth)
    return 2 * hits / max(found + true, 1)


def _count_hits(
    predicted: Sequence[tuple[int, int]], truth: Sequence[tuple[int, int]], reach: int
) -> int:
    """Count the spans that hit one; of instants those within `reach` rows."""
    left, hits = list(truth), 0
    for first, last in predicted:
        for other in left:
            overlap = min(last, other[1]) - max(first, other[0]) + 1
            together = max(last, other[1]) - min(first, other[0]) + 1
            if (abs(first - other[0]) <= reach) if reach else overlap >= MIN_OVERLAP * together:
                hits += 1
                left.remove(other)
                break
    return hits
