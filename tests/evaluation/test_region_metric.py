"""Figures of regions on images, computed by hand: see the comments."""

import numpy as np
import pytest

from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.metrics.region_metric import RegionMetric
from shared.label_studio.label_config import Control
from shared.results import KeyPoint, Rectangle, Vector
from tests.evaluation.regions import region_of

BOX = Control("RectangleLabels", "box", "image", {"car": {}, "person": {}})
DRAWN = Control("Rectangle", "box", "image")
LABELS = Control("Labels", "label", "image", {"car": {}, "person": {}})


def box(label, x, width=10, score=None, control=BOX, y=0):
    return region_of(Rectangle(x, y, width, 10), label, control, score=score)


def add_all(cases, control=BOX):
    metric = RegionMetric(control)
    return metric, [
        metric.add(case, truth, predicted) for case, (truth, predicted) in enumerate(cases)
    ]


# Two cars and a person in the first task, of which the model finds
# - the first car at 8 of its 10 pixels: IoU 0.8
# - nothing of the second, but a car elsewhere
# - the person, as a car, and again 6 of 10 pixels of it as a person: IoU 0.6
# Nothing in the second, where a person is invented. The third has a person that is not found.
CASES = [
    (
        [box("car", 0), box("car", 20), box("person", 40)],
        [
            box("car", 0, 8, 0.9),
            box("car", 60, 10, 0.8),
            box("car", 40, 10, 0.7),
            box("person", 40, 6, 0.6),
        ],
    ),
    ([], [box("person", 0, 10, 0.5)]),
    ([box("person", 0)], []),
]

# Cars: hit (IoU 0.8), two inventions; of two. The precision is 1 up to recall 1/2, at the
# thresholds .5 to .8, which are 7 of 10.
CAR_AP50 = 51 / 101
CAR_AP = CAR_AP50 * 7 / 10
# Persons: hit (IoU 0.6), an invention; of two. At the thresholds .5, .55 and .6: 3 of 10. The IoU
# of 6 pixels in 10 is 60 / 100 exactly, which is not below COCO's third threshold.
PERSON_AP50 = 51 / 101
PERSON_AP = PERSON_AP50 * 3 / 10


def test_figures_computed_by_hand():
    metric, _ = add_all(CASES)
    figures = metric.figures(Bootstrap(3))
    assert list(figures["interval"]) == ["precision", "recall", "f1", "mean_iou", "ap50", "ap"]
    assert list(figures["labels"]) == ["car", "person"]
    assert_figures(
        figures,
        regions={"truth": 4, "predicted": 5},
        tasks=3,
        precision=2 / 5,
        recall=2 / 4,
        f1=4 / 9,
        mean_iou=(0.8 + 0.6) / 2,
        ap50=(CAR_AP50 + PERSON_AP50) / 2,
        ap=(CAR_AP + PERSON_AP) / 2,
    )
    assert_figures(
        figures["labels"]["car"],
        regions={"truth": 2, "predicted": 3},
        tasks=1,
        precision=1 / 3,
        recall=1 / 2,
        f1=2 / 5,
        mean_iou=0.8,
        ap50=CAR_AP50,
        ap=CAR_AP,
    )
    assert_figures(
        figures["labels"]["person"],
        regions={"truth": 2, "predicted": 2},
        tasks=3,
        precision=1 / 2,
        recall=1 / 2,
        f1=1 / 2,
        mean_iou=0.6,
        ap50=PERSON_AP50,
        ap=PERSON_AP,
    )


def assert_figures(figures, regions, **expected):
    assert figures["regions"] == regions
    assert set(figures) - {"labels", "interval", "regions"} == set(expected)
    assert {key: figures[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_intervals_hold_what_the_cases_of_a_resample_have():
    metric, _ = add_all(CASES)
    figures = metric.figures(Bootstrap(3))
    weights = Bootstrap(3).weights(np.arange(3)).astype(float)
    # of case 0: 2 hits of 4 predictions and 3 truths; of case 1: an invention; of case 2: a miss
    hits, predicted = weights[:, 0] * 2, weights @ [4, 1, 0]
    precision = hits[predicted > 0] / predicted[predicted > 0]
    expected = np.percentile(precision, (2.5, 97.5))
    assert figures["interval"]["precision"] == pytest.approx(expected, abs=1e-9)
    f1 = (weights[:, 0] * 4) / (weights @ [7, 1, 1])
    assert figures["interval"]["f1"] == pytest.approx(np.percentile(f1, (2.5, 97.5)), abs=1e-9)
    # cars are in case 0 only: where it is drawn at all, they have the same figures
    assert figures["labels"]["car"]["interval"]["ap"] == pytest.approx((CAR_AP, CAR_AP), abs=1e-9)
    assert figures["labels"]["car"]["interval"]["f1"] == pytest.approx((0.4, 0.4), abs=1e-9)


def test_outcomes_tell_hits_misses_and_inventions():
    _, (first, second, third) = add_all(CASES)
    truth, predicted = CASES[0]
    assert [(hit.truth, hit.predicted) for hit in first.hits] == [
        (truth[0], predicted[0]),
        (truth[2], predicted[3]),
    ]
    assert [hit.similarity for hit in first.hits] == pytest.approx([0.8, 0.6])
    assert first.misses == [truth[1]]
    assert first.inventions == [predicted[1], predicted[2]]
    # 2 hits of 3 + 4
    assert first.score == pytest.approx(4 / 7)
    assert (second.score, second.inventions) == (0, CASES[1][1])
    assert (third.score, third.misses) == (0, CASES[2][0])


def test_nothing_found_where_nothing_is_counts_as_right():
    metric, (outcome,) = add_all([([], [])])
    assert outcome.score == 1
    figures = metric.figures(Bootstrap(1))
    assert figures == {"regions": {"truth": 0, "predicted": 0}, "tasks": 0}
    assert metric.scored() == {}


def test_the_highest_score_chooses_first_and_a_region_is_hit_once():
    truth = [box("car", 0)]
    predicted = [box("car", 0, 10, 0.5), box("car", 0, 9, 0.9)]
    _, (outcome,) = add_all([(truth, predicted)])
    assert [hit.predicted for hit in outcome.hits] == [predicted[1]]
    assert outcome.inventions == [predicted[0]]


def test_each_chooses_the_most_similar_that_is_left():
    # IoU of the first with both: 8/10 and, moved by 2, 8/12; the second gets what is left
    truth = [box("car", 0, 10), box("car", 2, 10)]
    predicted = [box("car", 2, 8, 0.9), box("car", 1, 10, 0.8)]
    _, (outcome,) = add_all([(truth, predicted)])
    assert [hit.truth for hit in outcome.hits] == [truth[1], truth[0]]
    # 1 aside: 9 of 11
    assert [hit.similarity for hit in outcome.hits] == pytest.approx([0.8, 9 / 11])


def test_scored_predictions_by_label():
    metric, _ = add_all(CASES)
    scored = metric.scored()
    assert list(scored) == ["car", "person"]
    assert scored["car"].scores.tolist() == [0.9, 0.8, 0.7]
    assert scored["car"].hits.tolist() == [True, False, False]
    assert scored["car"].truths == 2
    assert scored["person"].scores.tolist() == [0.6, 0.5]


def test_without_scores_there_is_no_average_precision():
    metric, _ = add_all([([box("car", 0)], [box("car", 0)])])
    figures = metric.figures(Bootstrap(1))
    assert (figures["f1"], figures["mean_iou"]) == (1, 1)
    assert "ap" not in figures
    assert "ap50" not in figures["labels"]["car"]
    assert metric.scored() == {}


def test_a_region_with_two_labels_counts_for_both():
    both = box(["car", "person"], 0, score=0.9)
    metric, (outcome,) = add_all([([both], [box("person", 0, score=0.9)])])
    figures = metric.figures(Bootstrap(1))
    assert figures["regions"] == {"truth": 1, "predicted": 1}
    assert figures["labels"]["car"]["recall"] == 0
    assert figures["labels"]["person"]["f1"] == 1
    # a hit, and a missing label: 2 / 3
    assert figures["f1"] == pytest.approx(2 / 3)
    assert outcome.misses == [both]
    assert outcome.inventions == []


def test_a_control_tag_without_labels_has_figures_overall():
    metric, _ = add_all([([box(None, 0, control=DRAWN)], [box(None, 0, 5, 0.5, DRAWN)])], DRAWN)
    figures = metric.figures(Bootstrap(1))
    assert "labels" not in figures
    assert figures["f1"] == 1
    # hit at .5 only: 1 / 10
    assert figures["ap"] == pytest.approx(0.1)


def test_labels_beside_a_rectangle_are_a_control_tag_of_their_own():
    region = region_of(Rectangle(0, 0, 10, 10), "car", LABELS, score=0.5)
    drawn = {DRAWN: None, **region.values}
    both = type(region)("", region.shape, drawn, region.source, 0.5, {})
    metric, _ = add_all([([both], [both])], LABELS)
    assert metric.figures(Bootstrap(1))["labels"]["car"]["f1"] == 1


def test_points_and_lines():
    points = Control("KeyPointLabels", "point", "image", {"nose": {}})
    metric, (outcome,) = add_all(
        [
            (
                [region_of(KeyPoint(10, 10), "nose", points)],
                [region_of(KeyPoint(11, 10), "nose", points, score=0.5)],
            ),
        ],
        points,
    )
    # exp(-1 / (2 × 10,000 × 0.0025)) = exp(-0.02)
    assert metric.figures(Bootstrap(1))["mean_iou"] == pytest.approx(np.exp(-0.02), abs=1e-9)
    assert len(outcome.hits) == 1
    line = Control("VectorLabels", "line", "image", {"road": {}})
    road = region_of(Vector([(0, 0), (90, 90)]), "road", line)
    assert add_all([([road], [road])], line)[1][0].score == 1


def test_a_task_with_several_truths_counts_as_one_case():
    metric = RegionMetric(BOX)
    for width in (10, 2):
        metric.add(0, [box("car", 0, width)], [box("car", 0, 10, 0.5)])
    figures = metric.figures(Bootstrap(1))
    assert figures["tasks"] == 1
    assert figures["f1"] == 0.5
    assert figures["interval"]["f1"] == [0.5, 0.5]


def test_figures_may_be_asked_for_in_between():
    metric, _ = add_all(CASES[:1])
    before = metric.figures(Bootstrap(1))
    assert metric.figures(Bootstrap(1)) == before
    metric.add(1, *CASES[1])
    assert metric.figures(Bootstrap(2))["regions"]["predicted"] == 5
