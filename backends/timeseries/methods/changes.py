"""Change points: where the level of a series jumps (ruptures), and the segments between them."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import (
    Channel,
    difference_noise,
    fill_missing,
    running_median,
    score_of,
)
from backends.timeseries.methods.season import remove_season
from shared.backend.extras import require

# The search costs the square of the points: longer series are searched in so many bins.
MAX_BINS = 2000
# Longer series are averaged to so many points, in which waves and jumps are looked for.
MAX_POINTS = 100_000
# The penalty of a change point, in variances of the noise and logarithms of the number of bins.
PENALTY = 4.0
# Points on each side that a jump is measured by, the most that follow a line, and how many
# standard errors it must have.
SIDE_POINTS = (200, 100, 50, 25, 12)
LEAST_JUMP = 7.5
# Of the variance of the whole series' noise: a part that is calmer by chance counts as this.
LEAST_VARIANCE = 0.5
MIN_SEGMENT = 3
# Shorter than this are spikes, which the search does not see.
SPIKE_POINTS = 5
SPIKE_SIZE = 4.0


def find_changes(values: NDArray[np.float64], sensitivity: float) -> list[Event]:
    """Return the points where the level of a channel jumps: the first of the new level each.

    A drift has none, however far it goes: a jump is measured between the lines through the points
    on both sides.
    """
    if len(values) < 4 * MIN_SEGMENT:
        return []
    step = -(-len(values) // MAX_POINTS)
    channels = [fill_missing(values[:, place]) for place in range(values.shape[1])]
    scaled = np.column_stack([_scale(_average(one, step)) for one in channels])
    places = _confirm(scaled, _search(scaled, sensitivity), sensitivity)
    if step > 1:
        whole = np.column_stack([_scale(one) for one in channels])
        places = [(_refine(whole, place * step, step), jump) for place, jump in places]
    return [Event(place, place, score_of(jump, LEAST_JUMP)) for place, jump in places]


def find_segments(values: NDArray[np.float64], sensitivity: float) -> list[Event]:
    """Return the spans between change points: the whole series where there are none."""
    found = find_changes(values, sensitivity)
    borders = [0, *(event.start for event in found), len(values)]
    scores = [1.0, *(event.score for event in found), 1.0]
    return [
        Event(first, last - 1, min(scores[place], scores[place + 1]))
        for place, (first, last) in enumerate(pairwise(borders))
        if last > first
    ]


def _average(channel: Channel, step: int) -> Channel:
    """Return the mean of each `step` points; the last ones, too few for a mean, are left out."""
    count = len(channel) // step
    means: Channel = channel[: count * step].reshape(count, step).mean(axis=1)
    return means


def _scale(channel: Channel) -> Channel:
    """Return a channel without waves and spikes, in standard deviations of its noise."""
    plain = remove_season(channel) if len(channel) <= MAX_POINTS else channel
    noise = difference_noise(plain) or float(plain.std()) or 1.0
    usual = running_median(plain, min(SPIKE_POINTS, len(channel) // 2 * 2 - 1))
    return np.where(np.abs(plain - usual) > SPIKE_SIZE * noise, usual, plain) / noise


def _search(scaled: NDArray[np.float64], sensitivity: float) -> list[int]:
    """Return where the level may change, by the least squares of constant pieces."""
    size = -(-len(scaled) // MAX_BINS)
    count = len(scaled) // size
    bins = scaled[: count * size].reshape(count, size, -1).mean(axis=1) * np.sqrt(size)
    detector = require("ruptures", "timeseries").KernelCPD(kernel="linear", min_size=2)
    penalty = PENALTY * np.log(count) * scaled.shape[1] / sensitivity
    found = detector.fit(np.ascontiguousarray(bins)).predict(pen=penalty)[:-1]
    return [_refine(scaled, int(place) * size, size) for place in found]


def _refine(scaled: NDArray[np.float64], place: int, size: int) -> int:
    """Return the point around a border of bins that parts two levels best."""
    reach = max(2 * size, SPIKE_POINTS)
    first, last = max(place - reach, 0), min(place + reach, len(scaled))
    part = scaled[first:last]
    counts = np.arange(1, len(part))[:, None]
    sums = np.cumsum(part, axis=0)
    left, right = sums[:-1], sums[-1] - sums[:-1]
    gain = (left**2 / counts + right**2 / (len(part) - counts)).sum(axis=1)
    return first + 1 + int(gain.argmax())


def _confirm(
    scaled: NDArray[np.float64], places: Sequence[int], sensitivity: float
) -> list[tuple[int, float]]:
    """Return the places of real jumps, and their size in standard errors; the least goes first."""
    kept = sorted({one for one in places if 0 < one < len(scaled)})
    jumps = [_jump(scaled, [0, *kept, len(scaled)], at + 1) for at in range(len(kept))]
    while kept and min(jumps) < LEAST_JUMP / sensitivity:
        least = int(np.argmin(jumps))
        del kept[least], jumps[least]
        borders = [0, *kept, len(scaled)]
        for at in range(max(least - 1, 0), min(least + 1, len(kept))):
            jumps[at] = _jump(scaled, borders, at + 1)
    return list(zip(kept, jumps, strict=True))


def _jump(scaled: NDArray[np.float64], borders: Sequence[int], at: int) -> float:
    """Return the jump at a border, of the channel that has the largest, in standard errors."""
    before, place, after = borders[at - 1], borders[at], borders[at + 1]
    left, right = scaled[before:place][::-1], scaled[place:after]
    if min(len(left), len(right)) < MIN_SEGMENT:
        return 0.0
    return max(_channel_jump(left[:, at], right[:, at]) for at in range(scaled.shape[1]))


def _channel_jump(left: Channel, right: Channel) -> float:
    """Return the jump between the lines through the points on both sides, nearest first."""
    (near, error), (far, other_error) = _line_end(left), _line_end(right)
    return abs(far - near) / math.sqrt(error + other_error)


def _line_end(side: Channel) -> tuple[float, float]:
    """Return where the line through the nearest points begins, and the variance of that.

    It goes through as many of them as follow a line: what is left shows no other course.
    """
    for most in SIDE_POINTS:
        part = side[:most]
        count = len(part)
        if count < SIDE_POINTS[-1]:  # too few for a line
            return float(part.mean()), max(float(part.var()), 1.0) / count * 2
        places = np.arange(count) - (count - 1) / 2
        mean, slope = float(part.mean()), float(places @ part / (places @ places))
        rest = part - mean - places * slope
        variance = float(rest @ rest) / (count - 2)
        if most == SIDE_POINTS[-1] or _is_noise(rest):
            break
    return mean + float(places[0]) * slope, max(variance, LEAST_VARIANCE) * 4 / count


def _is_noise(rest: Channel) -> bool:
    """Return whether neighbours among residuals are no more alike than in noise."""
    power = float(rest @ rest)
    return not power or float(rest[1:] @ rest[:-1]) / power < 0.1 + 2 / math.sqrt(len(rest))
