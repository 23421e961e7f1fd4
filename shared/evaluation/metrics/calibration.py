"""Calibration: how far scores are from the share of predictions that are right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.bootstrap import percentile_interval
from shared.evaluation.metrics.figures import with_intervals
from shared.evaluation.metrics.metric import Resampler

# Bins of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
BINS = 15


def calibration_figures(
    cases: NDArray[Any],
    scores: NDArray[np.float64],
    hits: NDArray[np.bool_],
    resampler: Resampler,
) -> dict[str, Any]:
    """Return the expected calibration error as `ece`, with its interval; nothing of no scores.

    It is the mean over predictions of |mean score - share of hits| of their bin. A bin has its
    upper end. The others have shape (n,).
    """
    if not len(scores):
        return {}
    bins = np.maximum(np.ceil(np.clip(scores, 0, 1) * BINS).astype(np.int64) - 1, 0)
    gaps = scores - hits
    total = np.abs(np.bincount(bins, gaps, BINS)).sum()
    drawn: Any = 0.0
    for number in range(BINS):
        own = bins == number
        drawn = drawn + np.abs(resampler.totals(cases[own], gaps[own]))
    counts = resampler.totals(cases, np.ones(len(cases)))
    ends = percentile_interval(drawn[counts > 0] / counts[counts > 0])
    return {"ece": float(total / len(scores))} | with_intervals({"ece": ends})
