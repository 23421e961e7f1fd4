"""Features of the windows around points of a series, as MiniRocket has them.

Each feature is the share of a window in which a dilated kernel of nine points, with three weights
of 2 and six of -1, answers more than a bias (Dempster, Schmidt, Webb: MiniRocket, 2021). As these
kernels do not see a channel's level, a few plain statistics of the window stand beside them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.changes import find_changes
from backends.timeseries.methods.noise import (
    deviation,
    difference_noise,
    fill_missing,
    running_median,
)
from backends.timeseries.methods.spikes import find_spikes
from backends.timeseries.series import Series

Features = NDArray[np.float32]
TAPS, HEAVY_TAPS = 9, 3
KERNELS = tuple(combinations(range(TAPS), HEAVY_TAPS))
# Kernels of all channels and dilations at most: further ones say little that is new.
MAX_KERNELS = 504
# Rows of a series that are looked at together: memory is that times a few floats.
CHUNK_ROWS = 32_768
# Points of which a bias is a quantile, from each training series.
BIAS_ROWS = 2_000
GOLDEN_RATIO = (5**0.5 - 1) / 2
STATISTICS = 6
# Sizes of spikes and steps, in standard deviations, that are told from smaller ones.
LEVELS = (3.0, 5.0, 8.0, 12.0)
EVIDENCE = 2 * (2 + len(LEVELS))
SPIKE_POINTS, STEP_POINTS = 15, 8
# Methods whose events are told, and the rows around each in which they are.
METHODS, MARK_REACH = 2, 2
# Beyond so many standard deviations of its noise a channel counts as if it ended there.
MAX_DEVIATIONS = 50.0


@dataclass(frozen=True)
class FeatureSettings:
    """How windows are looked at.

    - `scales`: the lengths in rows of the windows around each point that is looked at
    - `hop`: each how many rows a point is looked at
    - `centre`, `spread`: what is usual in each channel
    - `kernels`: view, dilation and number of each kernel, shape (kernels, 3); `biases` of each

    There are two views of each channel: in the training's units, so that levels can be told, and in
    the series' own, so that series of any size are alike.
    """

    scales: tuple[int, ...]
    hop: int
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    kernels: NDArray[np.int32]
    biases: NDArray[np.float32]

    @property
    def count(self) -> int:
        """The number of features."""
        channels = len(self.centre)
        views = len(self.kernels) + STATISTICS * 2 * channels
        return len(self.scales) * views + EVIDENCE * channels + METHODS

    @property
    def margin(self) -> int:
        """How many rows before and after a point are looked at."""
        reach = TAPS // 2 * int(self.kernels[:, 1].max(initial=1))
        return max(self.scales) + max(reach, 2 * STEP_POINTS)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the settings as arrays, for a file of weights."""
        return {
            "scales": np.array(self.scales, np.int32),
            "hop": np.array([self.hop], np.int32),
            "centre": self.centre,
            "spread": self.spread,
            "kernels": self.kernels,
            "biases": self.biases,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "FeatureSettings":
        """Read what `to_arrays` made."""
        scales = tuple(int(scale) for scale in arrays["scales"])
        rest = (arrays[name] for name in ("centre", "spread", "kernels", "biases"))
        return cls(scales, int(arrays["hop"][0]), *rest)

    @classmethod
    def fit(
        cls, series: list[Series], scales: tuple[int, ...], hop: int, seed: int
    ) -> "FeatureSettings":
        """Choose kernels and biases for training series, which have the same channels."""
        random = np.random.default_rng(seed)
        rows = [_sample_rows(len(one), random) for one in series]
        together = np.concatenate(
            [one.values[some] for one, some in zip(series, rows, strict=True)]
        )
        columns = [fill_missing(together[:, place]) for place in range(together.shape[1])]
        centre = np.array([np.median(one) for one in columns], np.float32)
        spread = np.array([deviation(one) or 1.0 for one in columns], np.float32)
        kernels = _choose_kernels(2 * len(columns), max(scales), random)
        plain = cls(scales, hop, centre, spread, kernels, np.zeros(len(kernels), np.float32))
        views = [plain._views(one.values)[some] for one, some in zip(series, rows, strict=True)]
        return cls(scales, hop, centre, spread, kernels, plain._find_biases(views))

    def _find_biases(self, views: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return a quantile of the answers of each kernel, another one for each."""
        answers = [list(self._answers(one)) for one in views]
        quantiles = (np.arange(1, len(self.kernels) + 1) * GOLDEN_RATIO) % 1
        found = [
            np.quantile(np.concatenate([one[place] for one in answers]), quantile)
            for place, quantile in enumerate(quantiles)
        ]
        return np.array(found, np.float32)

    def extract(self, values: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.int64], Features]]:
        """Yield rows and their features, shape (rows, count), a chunk of the series at a time."""
        views, missing = self._views(values), np.isnan(values).astype(np.float32)
        marks = _mark_events(values)
        for begin in range(0, len(values), CHUNK_ROWS):
            end = min(begin + CHUNK_ROWS, len(values))
            rows = np.arange(-(-begin // self.hop) * self.hop, end, self.hop)
            if len(rows):
                first = max(begin - self.margin, 0)
                part = slice(first, end + self.margin)
                found = self._features(views[part], missing[part], rows - first)
                found[:, -METHODS:] = marks[rows]
                yield rows, found

    def _features(
        self,
        views: NDArray[np.float32],
        missing: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> Features:
        windows = [_window_borders(rows, scale, len(views)) for scale in self.scales]
        found = np.empty((len(rows), self.count), np.float32)
        column = 0
        for answer, bias in zip(self._answers(views), self.biases, strict=True):
            for mean in _window_means((answer > bias).astype(np.float32), windows):
                found[:, column] = mean
                column += 1
        channels = len(self.centre)
        for place in range(2 * channels):
            lacking = missing[:, place % channels]
            for statistic in _statistics(views[:, place], lacking, windows):
                found[:, column] = statistic
                column += 1
        for place in range(channels, 2 * channels):
            for evidence in _evidence(views[:, place], rows, windows[0]):
                found[:, column] = evidence
                column += 1
        return found

    def _views(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the channels in the training's units, and then in the series' own."""
        columns = [fill_missing(values[:, place]) for place in range(values.shape[1])]
        scaled = (np.column_stack(columns) - self.centre) / self.spread
        own = [_in_own_units(one) for one in columns]
        return np.column_stack([scaled, *own]).astype(np.float32)

    def _answers(self, scaled: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the answers of each kernel, in their order, shape (n,)."""
        known: tuple[int, int] | None = None
        shifts: list[NDArray[np.float32]] = []
        total = np.empty(0, np.float32)
        for channel, dilation, number in self.kernels.tolist():
            if known != (channel, dilation):
                known = channel, dilation
                shifts = _shifted(scaled[:, channel], dilation)
                total = np.sum(shifts, axis=0)
            first, second, third = KERNELS[number]
            yield (shifts[first] + shifts[second] + shifts[third]) * np.float32(3) - total


def _mark_events(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the scores of spikes and changes that need no training around their rows, else 0."""
    found = np.zeros((len(values), METHODS), np.float32)
    for column, events in enumerate((find_spikes(values, 1.0), find_changes(values, 1.0))):
        for event in events:
            rows = slice(max(event.start - MARK_REACH, 0), event.end + MARK_REACH + 1)
            found[rows, column] = np.maximum(found[rows, column], event.score)
    return found


def _in_own_units(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    noise = difference_noise(channel) or deviation(channel) or 1.0
    moved = (channel - np.median(channel)) / noise
    return np.asarray(np.clip(moved, -MAX_DEVIATIONS, MAX_DEVIATIONS))


def _sample_rows(count: int, random: np.random.Generator) -> slice:
    begin = int(random.integers(max(count - BIAS_ROWS, 0) + 1))
    return slice(begin, begin + BIAS_ROWS)


def _choose_kernels(channels: int, window: int, random: np.random.Generator) -> NDArray[np.int32]:
    """Return kernels of all channels and dilations that fit into the window."""
    most = max((window - 1) // (TAPS - 1), 1)
    dilations = sorted({int(one) for one in np.geomspace(1, most, 4).round()})
    groups = [(channel, dilation) for channel in range(channels) for dilation in dilations]
    each = min(len(KERNELS), max(MAX_KERNELS // len(groups), 8))
    found = []
    for channel, dilation in groups:
        numbers = sorted(random.choice(len(KERNELS), each, replace=False).tolist())
        found += [(channel, dilation, number) for number in numbers]
    return np.array(found, np.int32)


def _shifted(channel: NDArray[np.float32], dilation: int) -> list[NDArray[np.float32]]:
    reach = TAPS // 2 * dilation
    padded = np.pad(channel, reach, mode="edge")
    return [padded[at * dilation : at * dilation + len(channel)] for at in range(TAPS)]


Borders = tuple[NDArray[np.int64], NDArray[np.int64]]


def _window_borders(rows: NDArray[np.int64], scale: int, count: int) -> Borders:
    return np.maximum(rows - scale // 2, 0), np.minimum(rows + (scale + 1) // 2, count)


def _window_means(
    channel: NDArray[np.float32], windows: list[Borders]
) -> Iterator[NDArray[np.float64]]:
    sums = np.concatenate(([0.0], np.cumsum(channel, dtype=np.float64)))
    for first, last in windows:
        yield (sums[last] - sums[first]) / (last - first)


def _statistics(
    channel: NDArray[np.float32], missing: NDArray[np.float32], windows: list[Borders]
) -> Iterator[NDArray[np.float64]]:
    """Yield six statistics of each scale: level, spread, roughness, slope, distance, what lacks."""
    rough = np.abs(np.diff(channel, prepend=channel[:1]))
    inputs = (channel, channel**2, rough, missing)
    means = [list(_window_means(one.astype(np.float32), windows)) for one in inputs]
    for place, (first, last) in enumerate(windows):
        mean, square, roughness, lacking = (one[place] for one in means)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        middle = (first + last) // 2
        yield mean
        yield np.log1p(spread)
        yield np.log1p(roughness)
        halves = [(first, np.maximum(middle, first + 1)), (np.minimum(middle, last - 1), last)]
        left, right = _window_means(channel, halves)
        yield right - left
        yield channel[np.minimum(middle, len(channel) - 1)] - mean
        yield lacking


def _evidence(
    channel: NDArray[np.float32], rows: NDArray[np.int64], window: Borders
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield how far points are out, and how far the level steps there; beside what is around."""
    exact = channel.astype(np.float64)
    spikes = np.abs(exact - running_median(exact, min(SPIKE_POINTS, len(exact))))
    for size in (spikes, _steps(channel)):
        plain = np.log1p(size).astype(np.float32)
        (around,) = _window_means(plain, [window])
        yield plain[rows]
        yield plain[rows] - around
        for level in LEVELS:
            yield (size[rows] > level).astype(np.float64)


def _steps(channel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the difference of the means after and before each point, in standard errors."""
    places = np.arange(len(channel), dtype=np.int64)
    first, last = np.maximum(places - STEP_POINTS, 0), np.minimum(places + STEP_POINTS, len(places))
    before = (np.minimum(first, places - 1).clip(0), places.clip(1))
    left, right = _window_means(channel, [before, (places, last)])
    return np.asarray(np.abs(right - left) * np.sqrt(STEP_POINTS / 2))
