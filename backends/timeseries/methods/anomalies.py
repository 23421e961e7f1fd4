"""Anomalies: stretches of a series that look like no other (the matrix profile)."""

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import Channel, deviation, fill_missing, score_of
from backends.timeseries.methods.spikes import runs

# The profile costs the square of the points: longer series are averaged to so many, and those of
# more channels than these to fewer, so that all channels cost no more.
MAX_POINTS = 8000
FULL_CHANNELS = 8
# Windows are one period long, if the series has one, and within these bounds.
LEAST_WINDOW = 8
LARGEST_SHARE = 0.1
USUAL_SHARE = 0.02
# How clear a period is: the correlation of the series with itself, one period later.
LEAST_CORRELATION = 0.4
# Deviations of the profile above its median from which a stretch is an anomaly.
LEAST_DEVIATION = 6.0
# Points are of an anomaly that so many of the windows have which hold a part of it.
COMMON_SHARE = 0.85
# Of a channel's spread: what varies less is flat.
FLAT_SHARE = 1e-3


def find_anomalies(values: NDArray[np.float64], sensitivity: float, window: int = 0) -> list[Event]:
    """Return the stretches of channels, shape (n, channels), that are unlike all others.

    `window` is their length in rows; 0 finds the length of the series' period out.
    """
    if len(values) < 4 * LEAST_WINDOW:
        return []
    threshold = LEAST_DEVIATION / sensitivity
    step = averaged_rows(*values.shape)
    count = len(values) // step
    size: Channel = np.zeros(count)
    for place in range(values.shape[1]):
        filled = fill_missing(values[:, place])[: count * step]
        channel = filled.reshape(count, step).mean(axis=1)
        length = find_window(channel) if not window else max(window // step, 4)
        unlike = _unlikeness(channel, min(length, count // 4), threshold)
        size = np.maximum(size, unlike)
    return [
        Event(
            first * step,
            min((last + 1) * step, len(values)) - 1,
            score_of(float(size[first : last + 1].max()), threshold),
        )
        for first, last in runs(size > 0)
    ]


def averaged_rows(rows: int, channels: int) -> int:
    """Return how many rows of a series become one point."""
    most = int(MAX_POINTS / np.sqrt(max(channels / FULL_CHANNELS, 1)))
    return -(-rows // max(most, 4 * LEAST_WINDOW))


def find_window(channel: Channel) -> int:
    """Return the period of a channel in rows, or a usual length for a series that has none."""
    count = len(channel)
    most = max(int(count * LARGEST_SHARE), LEAST_WINDOW)
    usual = int(np.clip(count * USUAL_SHARE, LEAST_WINDOW, most))
    centred = channel - channel.mean()
    spectrum = np.fft.rfft(centred, 2 * count)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: most + 2]
    if correlation[0] <= 0:
        return usual
    correlation = correlation / correlation[0]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:])) + 1
    peaks = peaks[(peaks >= LEAST_WINDOW) & (correlation[peaks] >= LEAST_CORRELATION)]
    if not len(peaks):
        return usual
    return int(peaks[correlation[peaks].argmax()])


def matrix_profile(channel: Channel, window: int) -> Channel:
    """Return the distance of each window to the nearest other one, shape (n - window + 1,).

    It is that of z-normalized windows, as stumpy computes it; windows that overlap by more than
    three quarters do not count. Flat windows are alike, and unlike any other.
    """
    count = len(channel) - window + 1
    windows = np.lib.stride_tricks.sliding_window_view(channel, window)
    mean, spread = windows.mean(axis=1), windows.std(axis=1)
    flat = spread <= FLAT_SHARE * float(channel.std())
    inverse = np.where(flat, 0.0, 1 / np.where(flat, 1.0, spread * np.sqrt(window)))
    centred = channel - channel.mean()
    mean = mean - channel.mean()
    products = np.convolve(centred, centred[:window][::-1], "valid")
    first = products.copy()
    exclusion = -(-window // 4)
    best = np.full(count, -np.inf)
    for row in range(count):
        if row:
            products[1:] = (
                products[:-1]
                - centred[row - 1] * centred[: count - 1]
                + centred[row + window - 1] * centred[window : window + count - 1]
            )
            products[0] = first[row]
        correlation = (products - window * mean[row] * mean) * (inverse[row] * inverse)
        if flat[row]:
            correlation[flat] = 1.0
        correlation[max(row - exclusion, 0) : row + exclusion + 1] = -np.inf
        best[row] = correlation.max()
    profile: Channel = np.sqrt(2 * window * np.clip(1 - best, 0, 2))
    return profile


def _unlikeness(channel: Channel, window: int, threshold: float) -> Channel:
    """Return for each point of an anomaly how many deviations its windows lie above the median.

    0 elsewhere. A stretch that is unlike others makes all windows unlike that have a part of it.
    """
    profile = matrix_profile(channel, window)
    spread = deviation(profile)
    size = (profile - np.median(profile)) / spread if spread else np.zeros_like(profile)
    found = np.zeros(len(channel))
    for first, last in runs(size > threshold, gap=max(window // 4, 1)):
        points = _common_points(first, last, window)
        found[points] = np.maximum(found[points], size[first : last + 1].max())
    return found


def _common_points(first: int, last: int, window: int) -> slice:
    """Return the points that most of the windows have which begin in a run of rows."""
    if last - first + 1 < COMMON_SHARE * window:
        return slice(last, first + window)
    return slice(
        first + round(COMMON_SHARE * window), last + round((1 - COMMON_SHARE) * window) + 1
    )
