import numpy as np
import pytest

from shared.evaluation.metrics.metric import ScoredPredictions
from shared.evaluation.report.charts import (
    MAX_CONFUSED,
    MAX_POINTS,
    draw_calibration,
    draw_confusion,
    draw_curves,
    thin_curve,
)
from shared.evaluation.thresholds import precision_recall_curve


def test_curves_are_thinned_to_their_shape() -> None:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random(20_000))[::-1]
    hits = rng.random(20_000) < scores
    scored = ScoredPredictions(scores, hits, int(hits.sum()))
    curve = precision_recall_curve(scored)
    kept = thin_curve(curve)
    assert len(kept) <= MAX_POINTS
    assert (kept[0], curve.recall[kept[-1]]) == (0, 1.0)
    between = np.interp(curve.recall, curve.recall[kept], curve.precision[kept])
    assert np.abs(between - curve.precision)[200:].max() < 0.02
    [chart] = draw_curves({"Car": scored})
    assert len(chart.points.split()) == len(kept)


def test_curve_of_all_labels_comes_before_theirs() -> None:
    one = ScoredPredictions(np.array([0.9, 0.8]), np.array([True, False]), 2)
    none = ScoredPredictions(np.array([0.7]), np.array([False]), 0)
    charts = draw_curves({"Car": one, "Bus": none})
    # All: precision 1/1 at recall 1/2, then 1/2, then 1/3.
    assert [(chart.label, chart.points) for chart in charts] == [
        (None, "50.0,0.0 50.0,50.0 50.0,66.7"),
        ("Car", "50.0,0.0 50.0,50.0"),
    ]
    assert draw_curves({"Bus": none}) == []


def test_confusions_are_shares_of_what_is_true() -> None:
    matrix = draw_confusion({"a": {"a": 3, "b": 1}, "b": {"": 2}})
    assert matrix is not None
    assert matrix.columns == ["a", "b", ""]
    assert [(n, [(c.count, c.share) for c in cells]) for n, cells in matrix.rows] == [
        ("a", [(3, 0.75), (1, 0.25), (0, 0.0)]),
        ("b", [(0, 0.0), (0, 0.0), (2, 1.0)]),
        ("", [(0, 0.0), (0, 0.0), (0, 0.0)]),
    ]
    assert draw_confusion({}) is None


def test_large_confusions_keep_the_labels_that_are_confused() -> None:
    table = {f"l{n}": {f"l{n}": 9} for n in range(50)} | {"l40": {"l49": 5}}
    matrix = draw_confusion(table)
    assert matrix is not None
    assert len(matrix.columns) == MAX_CONFUSED
    assert {"l40", "l49"} <= set(matrix.columns)
    assert matrix.left_out == 20


def test_calibration_has_the_bins_of_its_error() -> None:
    scored = ScoredPredictions(np.array([0.61, 0.65, 0.05]), np.array([True, False, False]), 2)
    found = draw_calibration({"a": scored})
    assert [(b.confidence, b.accuracy, b.count) for b in found] == [
        (0.05, 0, 1),
        (pytest.approx(0.63), 0.5, 2),
    ]
