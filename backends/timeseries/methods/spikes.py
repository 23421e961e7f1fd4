"""Spikes: single points, or a few, far from those around them."""

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import (
    MAD_SCALE,
    Channel,
    deviation,
    fill_missing,
    running_median,
    score_of,
)

# Points of which the median is what is usual: a spike has fewer than half of them.
USUAL_POINTS = 15
# How far out a spike is among so many points on each side, of how far among the usual ones.
SHARP_REACH, LEAST_SHARPNESS = 4, 0.6
# Points around a spike that must be calmer: in a burst none of them is one.
NEAR_POINTS = 31
# Points that say how much the series moves here, and the part of the whole series' that counts.
LOCAL_POINTS = 201
LEAST_LOCAL = 0.5
# What the highest of so much normal noise would not reach, in standard deviations above it.
MARGIN = 2.0


def find_spikes(values: NDArray[np.float64], sensitivity: float) -> list[Event]:
    """Return the spikes of all channels, shape (n, channels); one for points that touch.

    Its `start` and `end` are the same: the point that lies farthest out.
    """
    if len(values) < 5:
        return []
    size = np.max([_deviations(values[:, place]) for place in range(values.shape[1])], axis=0)
    threshold = (np.sqrt(2 * np.log(len(size))) + MARGIN) / sensitivity
    peaks = [
        first + int(size[first : last + 1].argmax())
        for first, last in runs(size > threshold, gap=2)
    ]
    return [
        Event(peak, peak, score_of(float(size[peak]), threshold))
        for peak in peaks
        if any(_is_sharp(values[:, place], peak) for place in range(values.shape[1]))
    ]


def _is_sharp(channel: Channel, peak: int) -> bool:
    """Return whether a point is out among its nearest, too: the top of a wave is less so."""
    near, wide = (
        abs(float(channel[peak] - np.nanmedian(channel[max(peak - reach, 0) : peak + reach + 1])))
        for reach in (SHARP_REACH, USUAL_POINTS // 2)
    )
    return near >= LEAST_SHARPNESS * wide > 0


def _deviations(channel: Channel) -> Channel:
    """Return how many standard deviations each point lies from the points around it."""
    filled = fill_missing(channel)
    residuals = filled - running_median(filled, min(USUAL_POINTS, len(filled) // 2 * 2 - 1))
    whole = deviation(residuals)
    if not whole:
        return np.zeros_like(filled)
    near = running_median(np.abs(residuals), min(NEAR_POINTS, len(filled) // 2 * 2 - 1)) * MAD_SCALE
    scale = np.maximum(np.maximum(_local_deviation(residuals), LEAST_LOCAL * whole), near)
    found: Channel = np.abs(residuals) / scale
    found[np.isnan(channel)] = 0
    return found


def _local_deviation(residuals: Channel) -> Channel:
    """Return the deviation around each point, from medians of blocks."""
    count = len(residuals) // LOCAL_POINTS
    if count < 3:
        return np.full(len(residuals), deviation(residuals))
    blocks = np.abs(residuals[: count * LOCAL_POINTS]).reshape(count, LOCAL_POINTS)
    sizes = np.median(blocks, axis=1) * MAD_SCALE
    centres = (np.arange(count) + 0.5) * LOCAL_POINTS
    found: Channel = np.interp(np.arange(len(residuals)), centres, sizes)
    return found


def runs(mask: NDArray[np.bool_], gap: int = 1) -> list[tuple[int, int]]:
    """Return the first and last place of each run of True; those up to `gap` apart are one."""
    places = np.flatnonzero(mask)
    if not len(places):
        return []
    cuts = np.flatnonzero(np.diff(places) > gap)
    firsts = places[np.concatenate(([0], cuts + 1))]
    lasts = places[np.concatenate((cuts, [len(places) - 1]))]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
