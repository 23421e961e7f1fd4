"""What repeats in a channel: waves that are no events."""

import numpy as np

from backends.timeseries.methods.noise import Channel, deviation

MAX_WAVES = 12
LAGS = (1, 8, 32)
# A wave stands out of the spectrum by so much, and comes at least so often.
LEAST_POWER = 40.0
LEAST_PERIODS = 4
# Differences beyond so many deviations are jumps and spikes, which have no part in waves.
JUMP = 2.2
# How much finer the spectrum is looked at than the length of the series gives it.
PADDING = 8


def remove_season(channel: Channel) -> Channel:
    """Return a channel without its waves; jumps and spikes stay as they are.

    Waves are found in the differences of points, the strongest first: fast ones between neighbours,
    slow ones between points farther apart.
    """
    plain = channel
    for lag in LAGS:
        if len(channel) >= 8 * LEAST_PERIODS * lag:
            plain = _remove_waves(plain, lag)
    return plain


def _remove_waves(channel: Channel, lag: int) -> Channel:
    differences = channel[lag:] - channel[:-lag]
    spread = deviation(differences)
    if not spread:
        return channel
    middle = float(np.median(differences))
    left = differences - middle
    left[np.abs(left) > JUMP * spread] = 0
    waves, places = np.zeros_like(channel), np.arange(len(channel), dtype=np.float64)
    for _ in range(MAX_WAVES):
        frequency = _strongest(left, 1 / (2 * lag))
        if frequency is None:
            break
        pair = np.column_stack(_waves(frequency, places))
        base = pair[lag:] - pair[:-lag]
        sizes, *_ = np.linalg.lstsq(base, left, rcond=None)
        left = left - base @ sizes
        waves += pair @ sizes
    return channel - waves


def _waves(frequency: float, places: Channel) -> tuple[Channel, Channel]:
    turns = 2 * np.pi * frequency * places
    return np.cos(turns), np.sin(turns)


def _strongest(differences: Channel, highest: float) -> float | None:
    """Return the frequency, in turns a row, that stands out most; None if none does."""
    count = len(differences)
    size = 1 << int(np.ceil(np.log2(count * PADDING)))
    power = np.abs(np.fft.rfft(differences * np.hanning(count), size)) ** 2
    lowest = int(np.ceil(LEAST_PERIODS / count * size))
    peak = lowest + int(power[lowest : max(int(highest * size), lowest) + 1].argmax())
    if power[peak] < LEAST_POWER * float(np.median(power[lowest:])):
        return None
    return peak / size
