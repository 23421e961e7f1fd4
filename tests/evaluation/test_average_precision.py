"""Average precision is that of pycocotools and of faster-coco-eval, and that computed by hand."""

import contextlib
import io
from dataclasses import dataclass, field

import faster_coco_eval
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
from pycocotools import mask as coco_masks

from shared.evaluation.metrics.average_precision import (
    COUNTS_BIT,
    DetectionLog,
    average_precisions,
    resampled_precisions,
)
from shared.evaluation.metrics.region_metric import RegionMetric
from shared.evaluation.similarity.outlines import draw_inside, outlines_of
from shared.label_studio.label_config import Control
from shared.results import Brush, Polygon, Rectangle
from tests.evaluation.regions import region_of

IMAGES = 200
SIDE = 64

# The last but one has no truth, the last one no prediction.
LABELS = ("car", "person", "dog", "invented", "missed")
BOX = Control("RectangleLabels", "box", "image", {label: {} for label in LABELS})

LIBRARIES = {
    "pycocotools": (pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
    "faster-coco-eval": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
}


class WithoutIntervals:
    """Draws no resample: what is compared here are the figures."""

    def weights(self, cases, resamples=0):
        return np.zeros((0, len(cases)), np.uint8)


@dataclass
class Images:
    """Generated regions of images: (label, shape) and (label, shape, score)."""

    truth: list = field(default_factory=list)
    predicted: list = field(default_factory=list)


def make_images(seed, make_shape):
    """Generate images: crowds of overlapping regions, equal scores, empty images, many of a label.

    Numbers are whole and small, so that equal similarities are frequent, too.
    """
    generator = np.random.default_rng(seed)
    images = Images()
    for number in range(IMAGES):
        kind = number % 8
        centers = generator.integers(10, SIDE - 20, (2 if kind == 1 else 4, 2))
        truth = 0 if kind in (0, 2) else int(generator.integers(1, 9))
        predicted = 0 if kind in (0, 3) else int(generator.integers(1, 12))
        if number % 50 == 7:
            predicted = 260
        images.truth.append(
            [
                (LABELS[generator.choice((0, 1, 2, 4))], make_shape(generator, centers))
                for _ in range(truth)
            ]
        )
        images.predicted.append(
            [
                (
                    LABELS[0 if predicted > 100 else generator.choice((0, 1, 2, 3))],
                    make_shape(generator, centers),
                    round(float(generator.random()), 1),
                )
                for _ in range(predicted)
            ]
        )
        copies = images.truth[-1][: kind - 3] if kind > 3 else []
        images.predicted[-1] += [
            (label, shape, 0.7) for label, shape in copies if label != "missed"
        ]
    return images


def make_box(generator, centers):
    x, y = centers[generator.integers(len(centers))] + generator.integers(-2, 3, 2)
    width, height = generator.integers(8, 14, 2)
    return Rectangle(float(x), float(y), float(width), float(height))


def make_mask(generator, centers):
    box = make_box(generator, centers)
    mask = draw_inside(outlines_of([box])[0], SIDE, SIDE)
    mask[int(box.y) + 3, :] = False
    return Brush(mask.astype(np.uint8) * 255)


def make_staircase(generator, centers):
    """A polygon along the edges of pixels: its area is the same exactly and by its pixels."""
    box = make_box(generator, centers)
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    step_x, step_y = generator.integers(1, 6, 2)
    return Polygon(
        [
            (x, y),
            (right, y),
            (right, bottom - step_y),
            (right - step_x, bottom - step_y),
            (right - step_x, bottom),
            (x, bottom),
        ]
    )


def evaluate_here(images):
    """Return our figures of the images, overall and by label."""
    metric = RegionMetric(BOX)
    for case, (truth, predicted) in enumerate(zip(images.truth, images.predicted, strict=True)):
        metric.add(
            case,
            [region_of(shape, label, BOX, source=(SIDE, SIDE)) for label, shape in truth],
            [
                region_of(shape, label, BOX, score=score, source=(SIDE, SIDE))
                for label, shape, score in predicted
            ],
        )
    return metric.figures(WithoutIntervals())


def evaluate_there(images, library):
    """Return the library's precision, shape (thresholds, recall points, labels)."""
    dataset_class, evaluation_class = LIBRARIES[library]
    is_box = all(isinstance(one[1], Rectangle) for image in images.truth for one in image)
    truth = [
        {"id": place, "image_id": image, "iscrowd": 0, **coco_shape(shape), "category_id": label}
        for place, (image, label, shape) in enumerate(numbered(images.truth), 1)
    ]
    predicted = [
        {"image_id": image, "category_id": label, "score": score, **coco_shape(shape)}
        for image, label, shape, score in numbered(images.predicted)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = dataset_class()
        dataset.dataset = {
            "info": {},
            "images": [{"id": n, "width": SIDE, "height": SIDE} for n in range(len(images.truth))],
            "categories": [{"id": n, "name": name} for n, name in enumerate(LABELS)],
            "annotations": truth,
        }
        dataset.createIndex()
        found = dataset.loadRes(predicted)
        evaluation = evaluation_class(dataset, found, "bbox" if is_box else "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][..., 0, -1]


def numbered(images):
    for number, image in enumerate(images):
        for label, *rest in image:
            yield (number, LABELS.index(label), *rest)


def coco_shape(shape):
    if isinstance(shape, Rectangle):
        box = [shape.x, shape.y, shape.width, shape.height]
        return {"bbox": box, "area": shape.width * shape.height}
    if isinstance(shape, Brush):
        mask = shape.mask != 0
    else:
        mask = draw_inside(outlines_of([shape])[0], SIDE, SIDE)
    encoded = coco_masks.encode(np.asfortranarray(mask, np.uint8))
    area, box = int(mask.sum()), coco_masks.toBbox(encoded).tolist()
    return {
        "segmentation": {**encoded, "counts": encoded["counts"].decode()},
        "area": area,
        "bbox": box,
    }


@pytest.fixture(scope="module", params=["boxes", "other boxes", "masks", "polygons"])
def images(request):
    seeds_and_shapes = {
        "boxes": (0, make_box),
        "other boxes": (1, make_box),
        "masks": (2, make_mask),
        "polygons": (3, make_staircase),
    }
    return make_images(*seeds_and_shapes[request.param])


@pytest.fixture(scope="module")
def figures(images):
    return evaluate_here(images)


@pytest.mark.parametrize("library", LIBRARIES)
def test_average_precision_is_that_of_other_libraries(images, figures, library):
    precision = evaluate_there(images, library)
    assert figures["ap"] == pytest.approx(precision[precision > -1].mean(), abs=1e-6)
    at_half = precision[0]
    assert figures["ap50"] == pytest.approx(at_half[at_half > -1].mean(), abs=1e-6)
    assert 0.05 < figures["ap"] < figures["ap50"] < 0.9
    for number, label in enumerate(LABELS):
        of_label = figures["labels"][label]
        if label == "invented":
            assert (precision[..., number] == -1).all()
            assert "ap" not in of_label
        else:
            assert of_label["ap"] == pytest.approx(precision[..., number].mean(), abs=1e-6)
            assert of_label["ap50"] == pytest.approx(precision[0, :, number].mean(), abs=1e-6)


def test_images_have_what_is_hard(images):
    scores = [score for image in images.predicted for _, _, score in image]
    assert len(set(scores)) < 12 < len(scores)
    assert max(map(len, images.predicted)) > 250
    assert [] in images.truth
    assert [] in images.predicted
    assert ([], []) in zip(images.truth, images.predicted, strict=True)
    labels = {label for image in images.predicted for label, *_ in image}
    assert "invented" in labels
    assert "missed" not in labels


# Detections as (score, case, bits of the thresholds), truths, the average precision at the first
# and at the last threshold.
ALL, FIRST, NONE = 1023, 1, 0
RANKINGS = {
    "all right": ([(0.9, 0, ALL), (0.8, 0, ALL)], 2, 1, 1),
    # Precision 1 up to recall 1/2, which are the recall points 0, .01, …, .5: 51 of 101.
    "one of two": ([(0.9, 0, ALL)], 2, 51 / 101, 51 / 101),
    # Hit, invention, hit: precision 1 up to recall 1/2, then 2/3 for 50 points.
    "an invention between": (
        [(0.9, 0, ALL), (0.8, 0, NONE), (0.7, 0, ALL)],
        2,
        (51 + 50 * 2 / 3) / 101,
        (51 + 50 * 2 / 3) / 101,
    ),
    # An invention first: precision 1/2 and then 2/3 at all recalls, of which the best counts.
    "the best of higher recalls": (
        [(0.9, 0, NONE), (0.8, 0, ALL), (0.7, 0, ALL)],
        2,
        2 / 3,
        2 / 3,
    ),
    "at the first threshold only": ([(0.9, 0, FIRST)], 1, 1, 0),
    "nothing predicted": ([], 3, 0, 0),
    "only inventions": ([(0.9, 0, NONE)], 3, 0, 0),
    # Of equal scores the first one in order comes first: 1 up to recall 1.
    "equal scores, hit first": ([(0.5, 0, ALL), (0.5, 1, NONE)], 1, 1, 1),
    "equal scores, invention first": ([(0.5, 0, NONE), (0.5, 1, ALL)], 1, 1 / 2, 1 / 2),
}


def ranking_of(detections):
    log = DetectionLog()
    for score, case, bits in detections:
        log.add(case, [0], [score], [bits | COUNTS_BIT])
    return next(log.rankings(1))


@pytest.mark.parametrize(("detections", "truths", "first", "last"), RANKINGS.values(), ids=RANKINGS)
def test_rankings(detections, truths, first, last):
    found = average_precisions(ranking_of(detections), truths)
    assert found[[0, -1]] == pytest.approx([first, last], abs=1e-12)


def test_a_label_without_truths_has_none():
    assert np.isnan(average_precisions(ranking_of([(0.9, 0, NONE)]), 0)).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_resample_is_the_set_of_cases_that_it_draws(seed):
    generator = np.random.default_rng(seed)
    detections = [
        (float(score), case, int(generator.choice((ALL, FIRST, NONE))))
        for case in range(12)
        for score in generator.permutation(100)[:4] / 100 + case / 10_000
    ]
    true_counts = generator.integers(4, 7, 12)
    weights = generator.integers(0, 4, (3, 12)).astype(np.uint8)
    truths = (weights * true_counts).sum(axis=1)
    found = resampled_precisions(ranking_of(detections), weights, truths.astype(float))
    for row, number in enumerate(truths.tolist()):
        drawn = [one for one in detections for _ in range(weights[row, one[1]])]
        expected = average_precisions(ranking_of(drawn), number)
        assert found[row] == pytest.approx(expected, abs=1e-12)


def test_a_resample_without_truths_has_none():
    weights = np.array([[0], [1]], np.uint8)
    found = resampled_precisions(ranking_of([(0.9, 0, ALL)]), weights, np.array([0.0, 1.0]))
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx(1)
