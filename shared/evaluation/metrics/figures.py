"""Figures with their intervals, as the report's JSON has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.metrics.bootstrap import ratio_interval
from shared.evaluation.metrics.metric import Resampler


def ratio_figures(
    cases: NDArray[Any],
    ratios: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    resampler: Resampler,
) -> dict[str, Any]:
    """Return each ratio of sums, by its name, and under `interval` their intervals.

    `ratios` holds numerators and denominators by entry, shape (n,) each. A ratio whose
    denominators sum up to 0 is left out.
    """
    figures: dict[str, Any] = {}
    intervals = {}
    totals: dict[int, NDArray[np.float64]] = {}
    for name, (above, below) in ratios.items():
        if below.sum() > 0:
            figures[name] = float(above.sum() / below.sum())
            for values in (above, below):
                if id(values) not in totals:
                    totals[id(values)] = resampler.totals(cases, values)
            intervals[name] = ratio_interval(totals[id(above)], totals[id(below)])
    return figures | with_intervals(intervals)


def with_intervals(intervals: Mapping[str, tuple[float, float] | None]) -> dict[str, Any]:
    """Return the key `interval` with the intervals that exist; nothing if none does."""
    found = {name: list(ends) for name, ends in intervals.items() if ends is not None}
    return {"interval": found} if found else {}


def join_figures(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures of several sources together, with all their intervals."""
    joined: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    for part in parts:
        joined |= part
        intervals |= part.get("interval", {})
    return joined | {"interval": intervals} if intervals else joined


def count_distinct(cases: NDArray[Any]) -> int:
    """Return the number of different cases; they stand in ascending order."""
    return int(np.count_nonzero(np.diff(cases))) + 1 if len(cases) else 0
