"""How good a signal is: whether its next value follows from those before it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.changes import find_changes
from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import Channel, fill_missing

# Quality is told for so many points at a time, and at most for so many stretches.
STRETCH_POINTS = 32
MAX_STRETCHES = 2000
# The second difference of white noise varies six times as much as the noise.
DIFFERENCE_VARIANCE = 6.0
# Parts shorter than this share of the series join their neighbour.
LEAST_SHARE = 0.02


def signal_quality(values: NDArray[np.float64]) -> float:
    """Return the quality of points of all channels, shape (n, channels): from 0 to 1, the mean.

    It is the share of a channel's variance that is no noise, less what is missing. What never
    moves is no signal: 0.
    """
    return float(np.mean([_channel_quality(values[:, at]) for at in range(values.shape[1])]))


def _channel_quality(channel: Channel) -> float:
    known = channel[~np.isnan(channel)]
    if len(known) < 4:
        return 0.0
    variance = float(known.var())
    if variance <= 1e-12 * max(float(np.mean(known**2)), 1e-12):
        return 0.0
    noise = float(np.mean(np.diff(known, 2) ** 2)) / DIFFERENCE_VARIANCE
    return float(np.clip(1 - noise / variance, 0, 1)) * len(known) / len(channel)


def find_qualities(values: NDArray[np.float64], sensitivity: float) -> list[Event]:
    """Return the parts of a series of one quality each, which together are the whole."""
    size = max(STRETCH_POINTS, -(-len(values) // MAX_STRETCHES))
    starts = list(range(0, max(len(values) - size // 2, 1), size))
    ends = [*starts[1:], len(values)]
    qualities = np.array([signal_quality(values[a:b]) for a, b in zip(starts, ends, strict=True)])
    changes = find_changes(fill_missing(qualities)[:, None], sensitivity)
    borders = [0, *(starts[event.start] for event in changes), len(values)]
    return [_rate(values, first, last - 1) for first, last in pairwise(borders)]


def _rate(values: NDArray[np.float64], first: int, last: int) -> Event:
    quality = signal_quality(values[first : last + 1])
    return Event(first, last, max(quality, 1 - quality), quality)


def find_predictable(values: NDArray[np.float64], sensitivity: float) -> list[Event]:
    """Return the parts whose next values follow from those before: a quality from 0.5 on."""
    return [
        Event(one.start, one.end, one.quality, one.quality)
        for one in find_qualities(values, sensitivity)
        if one.quality is not None and one.quality >= 0.5
    ]
