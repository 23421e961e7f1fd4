"""Trends: where a series rises, falls or stays level."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import Channel, fill_missing

# Lines are fitted to so many stretches at most, and at least so many points each.
STRETCHES = 24
LEAST_POINTS = 16
# In deviations of the noise: a stretch that goes less far in its length is level, and one that goes
# no farther than by chance. The slope of noise varies by the root of 12 / n over n points.
LEAST_WAY, SURE = 1.0, 3.5
# The part of the series' end by which the next trend is told.
END_SHARE = 0.2
RISING, FALLING, LEVEL = "rising", "falling", "level"


def find_trends(values: NDArray[np.float64]) -> dict[str, list[Event]]:
    """Return the stretches of the first channel that rise, fall and stay level."""
    channel = fill_missing(values[:, 0])
    found: dict[str, list[Event]] = {RISING: [], FALLING: [], LEVEL: []}
    if len(channel) < 2 * LEAST_POINTS:
        return found
    size = max(LEAST_POINTS, -(-len(channel) // STRETCHES))
    borders = [*range(0, len(channel) - size + 1, size), len(channel)]
    kinds = [_kind(channel[first:last], channel) for first, last in pairwise(borders)]
    start = 0
    for place in range(1, len(kinds) + 1):
        if place == len(kinds) or kinds[place][0] != kinds[start][0]:
            score = float(np.mean([share for _, share in kinds[start:place]]))
            found[kinds[start][0]].append(Event(borders[start], borders[place] - 1, score))
            start = place
    return found


def last_trend(values: NDArray[np.float64]) -> tuple[str, float]:
    """Return the trend at the end of the first channel, which the next values go on with."""
    channel = fill_missing(values[:, 0])
    count = max(int(len(channel) * END_SHARE), min(LEAST_POINTS, len(channel)))
    return _kind(channel[-count:], channel)


def _kind(part: Channel, whole: Channel) -> tuple[str, float]:
    """Return whether a part rises, falls or stays level, and how sure that is from 0.5 to 1."""
    if len(part) < 2:
        return LEVEL, 0.5
    places = np.arange(len(part)) - (len(part) - 1) / 2
    slope = float(places @ part / (places @ places))
    rest = float((part - part.mean() - slope * places).std())
    spread = rest or 0.05 * float(whole.std()) or 1.0
    way = abs(slope) * len(part) / spread
    least = max(LEAST_WAY, SURE * float(np.sqrt(12 / len(part))))
    share = float(1 - 0.5 * np.exp(-abs(way / least - 1)))
    if way < least:
        return LEVEL, share
    return (RISING if slope > 0 else FALLING), share
