"""Robust statistics of a channel: what is usual in it, and how far points lie from that."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require

Channel = NDArray[np.float64]
# Turns a median absolute deviation into the standard deviation of normal noise.
MAD_SCALE = 1.4826


def fill_missing(channel: Channel) -> Channel:
    """Return a channel with missing values on the line between their neighbours."""
    missing = np.isnan(channel)
    if not missing.any():
        return channel
    if missing.all():
        return np.zeros_like(channel)
    places = np.arange(len(channel))
    filled: Channel = np.interp(places, places[~missing], channel[~missing])
    return filled


def running_median(channel: Channel, size: int) -> Channel:
    """Return the median of the `size` points around each point."""
    found: Channel = require("scipy.ndimage", "timeseries").median_filter(
        channel, size=size, mode="nearest"
    )
    return found


def deviation(residuals: Channel) -> float:
    """Return the standard deviation without regard to outliers; above 0 unless all are equal."""
    size = np.abs(residuals - np.median(residuals))
    found = float(np.median(size)) * MAD_SCALE
    return found or float(size.mean()) * 1.25


def difference_noise(channel: Channel) -> float:
    """Return the standard deviation of the noise, by the differences of neighbours."""
    if len(channel) < 3:
        return 0.0
    return deviation(np.diff(channel)) / math.sqrt(2)


def score_of(size: float, threshold: float) -> float:
    """Return a score from 0.5, at the threshold, to 1, for a size far above it."""
    return float(1 - 0.5 * np.exp(-max(size / max(threshold, 1e-12) - 1, 0)))
