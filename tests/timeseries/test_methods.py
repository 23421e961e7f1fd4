"""What the methods find in series whose truth is known."""

import numpy as np
import pytest

from backends.timeseries.methods.anomalies import (
    averaged_rows,
    find_anomalies,
    find_window,
    matrix_profile,
)
from backends.timeseries.methods.changes import find_changes, find_segments
from backends.timeseries.methods.gaps import find_gaps, find_still
from backends.timeseries.methods.quality import find_predictable, find_qualities, signal_quality
from backends.timeseries.methods.season import remove_season
from backends.timeseries.methods.spikes import find_spikes, runs
from backends.timeseries.methods.trend import find_trends, last_trend
from backends.timeseries.series import Series
from tests.timeseries.drawing import (
    Drawn,
    draw_anomalies,
    draw_shifts,
    draw_spikes,
    span_f1,
)

pytest.importorskip("ruptures")


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)[:, None]


def drawn(draw, count: int) -> list[Drawn]:
    random = np.random.default_rng(7)
    return [draw(random) for _ in range(count)]


@pytest.mark.parametrize(
    ("draw", "find", "label", "reach"),
    [
        pytest.param(draw_spikes, find_spikes, "Spike", 0, id="spikes"),
        pytest.param(draw_shifts, find_changes, "Shift", 2, id="level shifts"),
        pytest.param(draw_anomalies, find_anomalies, "Anomaly", 0, id="odd cycles"),
    ],
)
def test_f1_without_training(draw, find, label: str, reach: int) -> None:
    series = drawn(draw, 30)
    found = [[(label, one.start, one.end) for one in find(s.values, 1.0)] for s in series]
    assert span_f1(found, [s.spans for s in series], reach) >= 0.9


@pytest.mark.parametrize("find", [find_spikes, find_changes, find_anomalies])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.zeros((300, 1)), id="constant"),
        pytest.param(np.random.default_rng(0).normal(size=(2000, 2)), id="noise"),
        pytest.param(np.arange(500.0)[:, None], id="a line"),
        pytest.param(np.sin(np.arange(900.0) / 7)[:, None], id="a wave"),
        pytest.param(np.full((100, 1), np.nan), id="nothing"),
        pytest.param(column(1.0), id="one row"),
        pytest.param(column(1, 2, 3), id="three rows"),
    ],
)
def test_nothing_is_found_where_nothing_is(find, values: np.ndarray) -> None:
    assert find(values, 1.0) == []


def test_a_spike_in_another_channel_and_beside_missing_values() -> None:
    values = np.random.default_rng(1).normal(size=(200, 2))
    values[80, 1] = 30
    values[81:85] = np.nan
    assert [one.start for one in find_spikes(values, 1.0)] == [80]


def test_sensitivity_lowers_what_is_needed() -> None:
    values = np.random.default_rng(2).normal(size=(400, 1))
    values[100] = 4.5
    assert find_spikes(values, 1.0) == []
    assert 100 in [one.start for one in find_spikes(values, 2.0)]


def test_segments_are_the_whole_series() -> None:
    values = np.random.default_rng(3).normal(size=(300, 1))
    values[120:] += 8
    assert [(one.start, one.end) for one in find_segments(values, 1.0)] == [(0, 119), (120, 299)]


def test_a_wave_is_taken_away_and_a_jump_stays() -> None:
    places = np.arange(1000)
    noise = np.random.default_rng(4).normal(size=1000)
    noise[600:] += 8
    plain = remove_season(noise + 5 * np.sin(places / 4))
    assert np.std(plain - noise) < 0.4


def test_the_matrix_profile_is_that_of_all_pairs() -> None:
    channel = np.random.default_rng(5).normal(size=150).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(channel, 12)
    normal = windows - windows.mean(axis=1, keepdims=True)
    normal /= windows.std(axis=1, keepdims=True)
    distances = np.linalg.norm(normal[:, None] - normal[None], axis=2)
    for row in range(len(distances)):
        distances[row, max(row - 3, 0) : row + 4] = np.inf
    assert np.allclose(matrix_profile(channel, 12), distances.min(axis=1), atol=1e-6)


def test_the_window_is_one_period() -> None:
    wave = np.sin(2 * np.pi * np.arange(1000) / 40)
    assert find_window(wave) == 40
    assert find_window(np.random.default_rng(6).normal(size=1000)) == 20


def test_gaps_are_missing_values_and_missing_rows() -> None:
    times = np.array([0, 1, 2, 3, 30, 31, 32], np.float64)
    series = Series(times, column(1, np.nan, np.nan, 4, 5, 6, 7))
    assert [(one.start, one.end) for one in find_gaps(series)] == [(1, 2), (3, 4)]


def test_what_stands_still() -> None:
    values = np.random.default_rng(7).normal(size=(100, 1))
    values[40:60] = values[40]
    assert [(one.start, one.end) for one in find_still(values)] == [(40, 59)]


def test_quality_is_what_is_no_noise() -> None:
    random, places = np.random.default_rng(8), np.arange(900)
    values = np.sin(places / 8)
    values[300:600] = random.normal(size=300)
    found = find_qualities(values[:, None], 1.0)
    assert [round(one.quality or 0) for one in found] == [1, 0, 1]
    borders = [one.start for one in found]
    assert abs(borders[1] - 300) <= 32
    assert abs(borders[2] - 600) <= 32
    assert [one.start for one in find_predictable(values[:, None], 1.0)] == [borders[0], borders[2]]
    assert signal_quality(np.zeros((50, 1))) == 0
    assert signal_quality(np.full((50, 1), np.nan)) == 0


def test_trends() -> None:
    noise = np.random.default_rng(9).normal(size=(900, 1))
    up, down = np.arange(300.0)[:, None], 300 - np.arange(300.0)[:, None]
    found = find_trends(np.concatenate([up, down, np.zeros((300, 1))]) + noise)
    spans = {kind: [(one.start, one.end) for one in some] for kind, some in found.items()}
    assert all(len(some) == 1 for some in spans.values())
    assert abs(spans["rising"][0][1] - 300) <= 20
    assert abs(spans["level"][0][0] - 600) <= 20
    assert last_trend(up)[0] == "rising"
    assert last_trend(-up)[0] == "falling"
    assert last_trend(noise)[0] == "level"


def test_runs() -> None:
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 1), (4, 4), (6, 6)]
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool), gap=2) == [(0, 1), (4, 6)]
    assert runs(np.zeros(3, bool)) == []


@pytest.mark.parametrize(
    ("rows", "channels", "expected"),
    [
        pytest.param(8000, 8, 1, id="as it is"),
        pytest.param(8001, 1, 2, id="long"),
        pytest.param(8000, 32, 2, id="wide: half of the points"),
        pytest.param(8000, 800, 10, id="very wide"),
        pytest.param(32, 10_000_000, 1, id="no fewer than a profile needs"),
    ],
)
def test_anomalies_of_many_channels_cost_no_more(rows: int, channels: int, expected: int) -> None:
    assert averaged_rows(rows, channels) == expected
