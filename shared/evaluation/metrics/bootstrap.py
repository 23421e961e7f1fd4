"""Intervals by the bootstrap: figures recomputed over cases drawn with replacement."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Resamples; the interval's ends are then good to about a tenth of its width.
RESAMPLES = 1000
# Units that are drawn at most. More cases are drawn in groups of equal size, which leaves the
# variance of sums and ratios as it is, and bounds memory and time.
MAX_UNITS = 5000
# Units of a step, which bounds the memory of their weights as floating point numbers.
STEP_UNITS = 1000
# Entries that `draws` weighs in all, over which it takes fewer resamples, but never fewer than
# MIN_DRAWS.
MAX_DRAWN_ENTRIES = 20_000_000
MIN_DRAWS = 200


class Bootstrap:
    """Resamples `cases` cases; the same draws serve all figures, so that they can be compared."""

    def __init__(self, cases: int, seed: int = 0) -> None:
        self._weights = _draw_weights(min(cases, MAX_UNITS), seed)

    def interval(
        self, cases: Any, numerators: Any, denominators: Any
    ) -> tuple[float, float] | None:
        """Return the 95 % interval of sum(numerators) / sum(denominators) over resampled cases.

        `cases` are the numbers of the cases to which the entries belong, shape (n,); the others
        have shape (n,), too. None where the denominator is always 0.
        """
        return ratio_interval(self.totals(cases, numerators), self.totals(cases, denominators))

    def totals(self, cases: Any, values: Any) -> NDArray[np.float64]:
        """Return the sum of values over each resample, shape (RESAMPLES,)."""
        units = len(self._weights)
        if not units:
            return np.zeros(RESAMPLES)
        sums = np.bincount(self._units_of(cases), np.asarray(values, np.float64), units)
        used = np.flatnonzero(sums)
        totals: NDArray[np.float64] = np.zeros(RESAMPLES)
        for start in range(0, len(used), STEP_UNITS):
            step = used[start : start + STEP_UNITS]
            totals += sums[step] @ self._weights[step].astype(np.float64)
        return totals

    def weights(self, cases: Any, resamples: int = RESAMPLES) -> NDArray[np.uint8]:
        """Return how often each of the first resamples draws the given cases.

        `cases` has shape (n,); the weights have shape (resamples, n), with RESAMPLES at most.
        """
        return self._weights[self._units_of(cases), :resamples].T

    def draws(self, cases: Any) -> Iterator[NDArray[np.uint8]]:
        """Yield, for each resample, how often it draws the given cases, shape (n,).

        For figures that are no ratio of sums. Of very many entries there are fewer resamples.
        """
        units = self._units_of(cases)
        if not len(units):
            return
        fitting = MAX_DRAWN_ENTRIES // len(units)
        for resample in range(min(max(fitting, MIN_DRAWS), RESAMPLES)):
            yield self._weights[:, resample][units]

    def _units_of(self, cases: Any) -> NDArray[np.int64]:
        return np.asarray(cases, np.int64) % max(len(self._weights), 1)


def ratio_interval(
    above: NDArray[np.float64], below: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the 95 % interval of ratios of totals, shape (RESAMPLES,); None without one."""
    defined = below > 0
    ratios: NDArray[np.float64] = above[defined] / below[defined]
    return percentile_interval(ratios)


def percentile_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 2.5th and 97.5th percentile; None of no values."""
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _draw_weights(units: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each unit is drawn by each resample, shape (units, RESAMPLES)."""
    generator = np.random.default_rng(seed)
    weights = np.empty((units, RESAMPLES), np.uint8)
    for resample in range(RESAMPLES if units else 0):
        drawn = np.bincount(generator.integers(units, size=units), minlength=units)
        weights[:, resample] = np.minimum(drawn, 255)
    return weights
