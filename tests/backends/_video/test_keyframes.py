"""A track as few key frames, between which each box is interpolated."""

import numpy as np
import pytest

from backends._video.keyframes import fit_keyframes


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 0.4, 2.0])
def test_key_frames_reproduce_every_box(tolerance: float, noise: float) -> None:
    rng, time = np.random.default_rng(5), np.arange(300.0)
    way = np.stack([150 + 120 * np.cos(time / 40), 90 + 60 * np.sin(time / 25)], axis=1)
    way = np.concatenate([way, way + 30], axis=1) + rng.normal(0, noise, (300, 4))
    most = np.array([320.0, 240.0, 320.0, 240.0])
    way = np.clip(way, 0, most)
    places, rows = fit_keyframes(way, tolerance, most)
    assert (places[0], places[-1]) == (0, 299)
    again = np.stack([np.interp(time, places, np.array(rows)[:, k]) for k in range(4)], axis=1)
    assert np.abs(again - way).max() <= tolerance + 1e-6
    assert all((row >= 0).all() and (row <= most).all() for row in rows)
    if noise * 3 < tolerance:
        assert len(places) < 75


@pytest.mark.parametrize("length", [1, 2, 3])
def test_key_frames_of_short_tracks(length: int) -> None:
    rows = np.tile(np.array([[1.0, 2.0, 30.0, 40.0]]), (length, 1))
    assert fit_keyframes(rows, 1.0, np.array([100.0] * 4))[0] == (
        [0] if length == 1 else [0, length - 1]
    )
