"""What lacks in a series: missing values, missing rows, and values that stand still."""

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.spikes import runs
from backends.timeseries.series import Series

# A step of time so many times as long as usual is a gap.
LONG_STEP = 5.0
# So many equal values in a row stand still, where hardly any two others are equal.
STILL_POINTS = 10
USUAL_EQUAL_SHARE = 0.2


def find_gaps(series: Series) -> list[Event]:
    """Return the stretches in which a channel has no values, or the series no rows."""
    missing = np.asarray(np.isnan(series.values).any(axis=1))
    steps = np.diff(series.times)
    usual = float(np.median(steps)) if len(steps) else 0.0
    long = np.flatnonzero(steps > LONG_STEP * usual if usual > 0 else np.zeros(0))
    found = [Event(first, last, 1.0) for first, last in runs(missing)]
    found += [Event(int(place), int(place) + 1, 1.0) for place in long]
    return sorted(found, key=lambda event: event.start)


def find_still(values: NDArray[np.float64]) -> list[Event]:
    """Return the stretches in which a channel keeps one value that otherwise moves."""
    found: dict[tuple[int, int], None] = {}
    for place in range(values.shape[1]):
        equal = np.diff(values[:, place]) == 0
        if len(equal) and equal.mean() <= 1 - USUAL_EQUAL_SHARE:
            for first, last in runs(equal):
                if last - first + 2 >= STILL_POINTS:
                    found[first, last + 1] = None
    return [Event(first, last, 1.0) for first, last in sorted(found)]
