"""Intervals by the bootstrap: figures recomputed over cases drawn with replacement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Resamples; the interval's ends are then good to about a tenth of its width.
RESAMPLES = 1000
# Cases drawn at a time: bounds the memory.
BLOCK_DRAWS = 4_000_000


class Bootstrap:
    """Resamples `cases` cases; the same draws serve all figures, so that they can be compared."""

    def __init__(self, cases: int, seed: int = 0) -> None:
        self._weights = _draw_weights(cases, seed)

    def interval(
        self, cases: Any, numerators: Any, denominators: Any
    ) -> tuple[float, float] | None:
        """Return the 95 % interval of sum(numerators) / sum(denominators) over resampled cases.

        `cases` are the numbers of the cases to which the entries belong, shape (n,); the others
        have shape (n,), too. None where the denominator is always 0.
        """
        above = self.totals(cases, numerators)
        below = self.totals(cases, denominators)
        ratios = above[below > 0] / below[below > 0]
        return percentile_interval(ratios)

    def totals(self, cases: Any, values: Any) -> NDArray[np.float64]:
        """Return the sum of values over each resample, shape (RESAMPLES,)."""
        sums = np.bincount(
            np.asarray(cases, np.int64), np.asarray(values, np.float64), self._weights.shape[1]
        )
        used = np.flatnonzero(sums)
        totals: NDArray[np.float64] = np.zeros(len(self._weights))
        step = max(BLOCK_DRAWS // len(self._weights), 1)
        for start in range(0, len(used), step):
            block = used[start : start + step]
            totals += self._weights[:, block].astype(np.float64) @ sums[block]
        return totals

    def weights(self, cases: Any) -> NDArray[np.uint8]:
        """Return how often each resample draws the given cases, shape (RESAMPLES, n)."""
        return self._weights[:, np.asarray(cases, np.int64)]


def percentile_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 2.5th and 97.5th percentile; None of no values."""
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _draw_weights(cases: int, seed: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    weights = np.empty((RESAMPLES, cases), np.uint8)
    for row in weights:
        drawn = np.bincount(generator.integers(cases, size=cases), minlength=cases)
        row[:] = np.minimum(drawn, 255)
    return weights
