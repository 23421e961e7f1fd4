"""The figures of regions, with their intervals, from what stays of compared regions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.average_precision import average_precisions, resampled_precisions
from shared.evaluation.metrics.bootstrap import RESAMPLES, percentile_interval, ratio_interval
from shared.evaluation.metrics.figures import join_figures, with_intervals
from shared.evaluation.metrics.metric import NO_LABEL, Resampler
from shared.evaluation.metrics.region_counts import RegionCounts
from shared.evaluation.metrics.resampled_totals import resampled_totals

Floats = NDArray[np.float64]

# Average precision is computed anew from all detections in each resample: detections times
# resamples at most, where a label costs as much as some detections more; and the resamples that
# are drawn at least. The ends of 100 are good to a quarter of the interval's width.
AP_WORK = 100_000_000
LABEL_WORK = 200
LEAST_AP_RESAMPLES = 100


@dataclass(frozen=True)
class _Totals:
    """What regions sum up to, each of them observed and over each resample.

    Each has shape (labels,) or, over resamples, (resamples, labels); summed over the labels
    these are numbers, or of shape (resamples,). `similarities` are those of the hits.
    """

    hits: Any
    predicted: Any
    true: Any
    similarities: Any

    def of_label(self, number: int) -> "_Totals":
        return _Totals(*(part[..., number] for part in self._parts()))

    def of_all_labels(self) -> "_Totals":
        return _Totals(*(part.sum(axis=-1) for part in self._parts()))

    def ratios(self) -> dict[str, tuple[Any, Any]]:
        """Return numerator and denominator of each figure."""
        return {
            "precision": (self.hits, self.predicted),
            "recall": (self.hits, self.true),
            "f1": (2 * self.hits, self.predicted + self.true),
            "mean_iou": (self.similarities, self.hits),
        }

    def _parts(self) -> tuple[Any, ...]:
        return self.hits, self.predicted, self.true, self.similarities


def region_figures(counts: RegionCounts, resampler: Resampler) -> dict[str, Any]:
    """Return the figures overall and by label, by the keys of the report's JSON.

    Intervals are those of the bootstrap over cases. For average precision they stand on fewer
    resamples from about 100,000 detections on, and on 100 from a million on.
    """
    observed, resampled = _observe(counts), _resample(counts, resampler)
    tasks = _count_tasks(counts)
    regions = {"truth": counts.true_regions, "predicted": counts.predicted_regions}
    figures = _ratios(observed.of_all_labels(), resampled.of_all_labels())
    overall = {"regions": regions, "tasks": tasks[NO_LABEL, True]} | figures
    labels = {
        label: _label_figures(
            observed.of_label(number), resampled.of_label(number), tasks[label, False]
        )
        for number, label in enumerate(counts.labels)
    }
    if counts.has_scores:
        precision, by_label = _average_precision(counts, resampler, resampled.true)
        overall = join_figures(overall, precision)
        labels = {label: join_figures(labels[label], by_label[label]) for label in labels}
    labels.pop(NO_LABEL, None)
    return overall | {"labels": dict(sorted(labels.items()))} if labels else overall


def _label_figures(observed: _Totals, resampled: _Totals, tasks: int) -> dict[str, Any]:
    regions = {"truth": int(observed.true), "predicted": int(observed.predicted)}
    return {"regions": regions, "tasks": tasks, **_ratios(observed, resampled)}


def _ratios(observed: _Totals, resampled: _Totals) -> dict[str, Any]:
    """Return the figures that have cases, and their intervals."""
    found = {key: ratio for key, ratio in observed.ratios().items() if ratio[1] > 0}
    over_resamples = resampled.ratios()
    intervals = {key: ratio_interval(*over_resamples[key]) for key in found}
    figures = {key: float(above / below) for key, (above, below) in found.items()}
    return figures | with_intervals(intervals)


def _observe(counts: RegionCounts) -> _Totals:
    width = len(counts.labels)
    labels = counts.detections.labels
    return _Totals(
        np.bincount(labels, counts.detections.hits, width),
        np.bincount(labels, minlength=width).astype(np.float64),
        np.bincount(counts.truth_labels, minlength=width).astype(np.float64),
        np.bincount(labels, counts.similarities, width),
    )


def _resample(counts: RegionCounts, resampler: Resampler) -> _Totals:
    width = len(counts.labels)
    cases, labels = counts.detections.cases, counts.detections.labels
    ones = np.ones(len(cases))
    true_cases, true_labels = counts.truth_cases, counts.truth_labels
    true_ones = np.ones(len(true_cases))
    return _Totals(
        resampled_totals(resampler, cases, labels, counts.detections.hits, width),
        resampled_totals(resampler, cases, labels, ones, width),
        resampled_totals(resampler, true_cases, true_labels, true_ones, width),
        resampled_totals(resampler, cases, labels, counts.similarities, width),
    )


def _count_tasks(counts: RegionCounts) -> Mapping[Any, int]:
    """Return the number of cases in which each label occurred, and any."""
    width = max(len(counts.labels), 1)
    keys = np.unique(
        np.concatenate(
            [
                counts.detections.cases.astype(np.int64) * width + counts.detections.labels,
                counts.truth_cases.astype(np.int64) * width + counts.truth_labels,
            ]
        )
    )
    of_labels = np.bincount(keys % width, minlength=width)
    found: dict[Any, int] = {(NO_LABEL, True): len(np.unique(keys // width))}
    for number, label in enumerate(counts.labels):
        found[label, False] = int(of_labels[number])
    return found


def _average_precision(
    counts: RegionCounts, resampler: Resampler, truths: Floats
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return `ap50` and `ap` overall and by label, with their intervals.

    `truths` says how many truths of each label a resample has, shape (resamples, labels).
    """
    width = len(counts.labels)
    work = len(counts.detections) + LABEL_WORK * width
    draws = min(max(AP_WORK // work, LEAST_AP_RESAMPLES), RESAMPLES)
    cases = int(counts.detections.cases.max(initial=-1)) + 1
    weights = np.ascontiguousarray(resampler.weights(np.arange(cases), draws))
    true_counts = np.bincount(counts.truth_labels, minlength=width)
    found = np.empty((width, 2))
    resampled = np.empty((width, len(weights), 2))
    for number, ranking in enumerate(counts.detections.rankings(width)):
        found[number] = _ap50_and_ap(average_precisions(ranking, int(true_counts[number])))
        resampled[number] = _ap50_and_ap(
            resampled_precisions(ranking, weights, truths[: len(weights), number])
        )
    by_label = {
        label: _precision_figures(found[number], resampled[number])
        for number, label in enumerate(counts.labels)
    }
    return _precision_figures(_mean_of_labels(found), _mean_of_labels(resampled)), by_label


def _ap50_and_ap(at_thresholds: Floats) -> Floats:
    return np.stack([at_thresholds[..., 0], at_thresholds.mean(axis=-1)], axis=-1)


def _mean_of_labels(precisions: Floats) -> Floats:
    """Return the mean over the first axis, of labels that have truths: NaN if none has."""
    has_truths = ~np.isnan(precisions)
    total, count = np.where(has_truths, precisions, 0).sum(axis=0), has_truths.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _precision_figures(found: Floats, resampled: Floats) -> dict[str, Any]:
    """Return `ap50` and `ap`, if they exist; `resampled` has shape (resamples, 2)."""
    if np.isnan(found).any():
        return {}
    drawn = resampled[~np.isnan(resampled[:, 0])]
    intervals = {key: percentile_interval(drawn[:, at]) for at, key in enumerate(("ap50", "ap"))}
    return {"ap50": float(found[0]), "ap": float(found[1])} | with_intervals(intervals)
