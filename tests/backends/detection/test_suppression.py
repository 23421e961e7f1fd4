"""Boxes are suppressed as Ultralytics suppresses them."""

from typing import Any

import numpy as np
import pytest

from backends.detection.model.suppression import (
    select_anchors,
    suppress,
    suppress_oriented,
    to_edges,
)

# Left, top, right, bottom: the second overlaps the first by 80 / 120, the third by 50 / 150.
BOXES = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [5, 0, 15, 10], [50, 50, 50, 50]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7, 0.6], np.float32)


@pytest.mark.parametrize(
    ("classes", "threshold", "kept"),
    [
        pytest.param([0, 0, 0, 0], 0.7, [0, 1, 2, 3], id="no overlap is above 2/3"),
        pytest.param([0, 0, 0, 0], 0.6, [0, 2, 3], id="one is"),
        pytest.param([0, 0, 0, 0], 0.3, [0, 3], id="two are"),
        pytest.param([0, 1, 0, 0], 0.3, [0, 1, 3], id="of another class"),
        pytest.param([0, 0, 0, 0], 1.0, [0, 1, 2, 3], id="all"),
    ],
)
def test_which_boxes_remain(classes: list[float], threshold: float, kept: list[int]) -> None:
    found = suppress(BOXES, SCORES, np.array(classes, np.float32), threshold)
    assert found.tolist() == kept


def test_without_boxes_none_remain() -> None:
    empty = np.zeros(0, np.float32)
    assert suppress(empty.reshape(0, 4), empty, empty, 0.5).tolist() == []
    assert suppress_oriented(empty.reshape(0, 5), empty, empty, 0.5).tolist() == []
    assert select_anchors(np.zeros((6, 9), np.float32), 2, 0.1).shape == (0, 6)


def draw_output(
    random: np.random.Generator, anchors: int, classes: int, extra: int
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """An output in which every other anchor lies near the one before, and none has the same score.

    Anchors of equal scores are sorted as it happens.
    """
    output = np.zeros((4 + classes + extra, anchors), np.float32)
    output[:2] = random.uniform(0, 640, (2, anchors))
    output[2:4] = random.uniform(1, 200, (2, anchors))
    output[:4, 1::2] = output[:4, : anchors - 1 : 2] + random.normal(0, 3, (4, anchors // 2))
    output[2:4] = np.maximum(output[2:4], 1)
    output[4 : 4 + classes] = random.uniform(0, 0.3, (classes, anchors))
    best = random.permutation(anchors) / anchors
    chosen = np.repeat(random.integers(0, classes, anchors // 2), 2)  # of neighbours the same
    output[4 + chosen, np.arange(anchors)] = best
    output[4 + classes :] = random.uniform(-1, 1, (extra, anchors))
    return output


@pytest.mark.parametrize("rotated", [False, True], ids=["upright", "oriented"])
@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize("threshold", [0.3, 0.45, 0.7])
def test_the_same_boxes_remain_as_of_ultralytics(
    rotated: bool, classes: int, threshold: float
) -> None:
    torch = pytest.importorskip("torch")
    nms = pytest.importorskip("ultralytics.utils.nms")
    random = np.random.default_rng(classes)
    counts = []
    for anchors in (8, 60, 400):
        output = draw_output(random, anchors, classes, 1 if rotated else 5)
        [expected] = nms.non_max_suppression(
            torch.from_numpy(output[None].copy()), 0.2, threshold, nc=classes, rotated=rotated
        )
        rows = select_anchors(output, classes, 0.2)
        if rotated:
            boxes = np.concatenate([rows[:, :4], rows[:, -1:]], axis=1)
            kept = suppress_oriented(boxes, rows[:, 4], rows[:, 5], threshold)
        else:
            rows[:, :4] = to_edges(rows[:, :4])
            kept = suppress(rows[:, :4], rows[:, 4], rows[:, 5], threshold)
        assert np.array_equal(rows[kept[:300]], expected.numpy())
        counts.append((len(rows), len(kept)))
    assert all(kept < selected for selected, kept in counts[1:]), "something was suppressed"
