"""Each control tag gets what Ultralytics itself detects on the picture."""

from typing import Any

import numpy as np
import pytest

from shared.results import Bitmask, Brush, Ellipse, ImageSize, Polygon, Rectangle
from tests.backends.detection.conftest import PICTURE, Predict
from tests.backends.detection.every_tag import CHOICES, LABELS, control_tag
from tests.backends.detection.networks import CLASSES

pytestmark = pytest.mark.usefixtures("keep_networks")

SIZE = ImageSize(400, 300)
CONF = 0.3
LABEL_OF = {"circle": "Circle", "Square": "square", "car": "A"}
# Allowed difference to the reference, in pixels.
PIXEL = 0.02


def best_objects(objects: Any) -> list[int]:
    """Return the objects by score, without those equal to a better one within the image."""
    order = np.argsort(-objects.conf, kind="stable")
    first: dict[Any, int] = {}
    for index in order.tolist():
        first.setdefault((int(objects.cls[index]), *objects.xyxy[index].round(3)), index)
    return list(first.values())


def names_and_scores(objects: Any) -> list[tuple[str, float]]:
    return [
        (LABEL_OF[CLASSES[int(objects.cls[i])]], float(objects.conf[i]))
        for i in best_objects(objects)
    ]


def labels_and_scores(results: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(r["value"][r["type"]][0], r["score"]) for r in results]


def assert_same_objects(results: list[dict[str, Any]], objects: Any) -> None:
    expected = names_and_scores(objects)
    assert len(expected) > 1
    assert [name for name, _ in labels_and_scores(results)] == [name for name, _ in expected]
    assert [s for _, s in labels_and_scores(results)] == pytest.approx(
        [s for _, s in expected], abs=1e-3
    )


@pytest.mark.parametrize("name", ["yolov8n", "yolo11n", "yolo26n", "rtdetr-l", "yolo11n-seg"])
def test_boxes(name: str, predict: Predict, reference: Any) -> None:
    results = predict(control_tag("RectangleLabels", name))["result"]
    boxes = reference(name, CONF).boxes
    assert_same_objects(results, boxes)
    found = []
    for result in results:
        box = Rectangle.from_value(result["value"], SIZE)
        found.append([box.x, box.y, box.x + box.width, box.y + box.height, result["score"]])
        assert result["value"]["rotation"] == 0
    for index in best_objects(
        boxes
    ):  # some scores of an untrained network are equal, so any order is right
        apart = np.abs(np.array(found) - [*boxes.xyxy[index], boxes.conf[index]])
        assert (apart < [*[PIXEL] * 4, 1e-3]).all(axis=1).any()


@pytest.mark.parametrize("name", ["yolo11n-obb", "yolo26n-obb"])
@pytest.mark.parametrize("kind", ["RectangleLabels", "PolygonLabels"])
def test_oriented_boxes(name: str, kind: str, predict: Predict, reference: Any) -> None:
    results = predict(control_tag(kind, name, 'model_obb="true"'))["result"]
    obb = reference(name, CONF).obb
    assert results
    for result in results:
        truth = obb.xyxyxyxy[np.abs(obb.conf - result["score"]) < 1e-3]
        if kind == "PolygonLabels":
            corners: Any = Polygon.from_value(result["value"], SIZE).points
            truth = np.clip(truth, 0, SIZE)
        else:
            corners = Rectangle.from_value(result["value"], SIZE).corners()
        apart = np.linalg.norm(np.array(corners)[None, :, None] - truth[:, None], axis=3)
        assert apart.min(axis=2).max(axis=1).min() < 0.05, "each corner is one of the box"
        assert (apart.min(axis=1).max(axis=1) < 0.05).any(), "and the reverse"


@pytest.mark.parametrize(("name", "least"), [("yolo11n-seg", 0.95), ("yolo26n-seg", 0.75)])
@pytest.mark.parametrize(("kind", "shape"), [("BrushLabels", Brush), ("BitmaskLabels", Bitmask)])
def test_masks(
    name: str, least: float, kind: str, shape: Any, predict: Predict, reference: Any
) -> None:
    results = predict(control_tag(kind, name))["result"]
    expected = reference(name, CONF)
    truths = list(zip(expected.boxes.conf.tolist(), expected.masks.data > 0, strict=True))
    assert len(results) > 1
    same = []
    for result in results:
        mask = shape.from_value(result["value"], SIZE).mask > 0
        same.append(
            max(
                mask_iou(mask, truth)
                for conf, truth in truths
                if abs(conf - result["score"]) < 1e-3
            )
        )
    # Untrained masks are noise; ours are scaled in one step, those of Ultralytics in up to two.
    assert np.median(same) > 0.95
    assert min(same) > least
    masks = [shape.from_value(result["value"], SIZE).mask > 0 for result in results]
    for _, truth in truths:
        assert max(mask_iou(mask, truth) for mask in masks) > least


def test_polygons_cover_the_masks(predict: Predict, reference: Any) -> None:
    import cv2

    results = predict(control_tag("PolygonLabels", "yolo11n-seg"))["result"]
    expected = reference("yolo11n-seg", CONF)
    masks = {
        round(float(c), 4): m for c, m in zip(expected.boxes.conf, expected.masks.data, strict=True)
    }
    drawn: dict[float, Any] = {}
    for result in results:
        assert 3 <= len(result["value"]["points"]) <= 200
        nearest = min(masks, key=lambda c: abs(c - result["score"]))
        canvas = drawn.setdefault(nearest, np.zeros((300, 400), np.uint8))
        points = np.rint(Polygon.from_value(result["value"], SIZE).points).astype(np.int32)
        cv2.fillPoly(canvas, [points], 1)
    assert len(drawn) > 1
    for truth in masks.values():
        missed = [np.count_nonzero((truth > 0) & (canvas == 0)) for canvas in drawn.values()]
        assert min(missed) < 0.05 * np.count_nonzero(truth)


def test_ellipses_of_boxes(predict: Predict, reference: Any) -> None:
    results = predict(control_tag("EllipseLabels", "yolo11n"))["result"]
    boxes = reference("yolo11n", CONF).boxes
    assert_same_objects(results, boxes)
    expected = boxes.xywh[best_objects(boxes)]
    for result, (x, y, width, height) in zip(results, expected.tolist(), strict=True):
        found = Ellipse.from_value(result["value"], SIZE)
        numbers = [found.x, found.y, found.radius_x * 2, found.radius_y * 2]
        assert numbers == pytest.approx([x, y, width, height], abs=PIXEL)


@pytest.mark.parametrize("name", ["yolov8n-pose", "yolo26n-pose"])
def test_key_points_hang_on_their_box(name: str, predict: Predict, reference: Any) -> None:
    points = "".join(
        f'<Label value="p{i}" predicted_values="car,circle,Square" model_index="{i}"/>'
        for i in range(3)
    )
    boxes = f'<RectangleLabels name="KeyPointLabels_bbox" toName="image" model_skip="true">{LABELS}'
    results = predict(
        control_tag("KeyPointLabels", name, 'model_point_threshold="0.2"', points)
        + boxes
        + "</RectangleLabels>"
    )["result"]
    expected = reference(name, CONF)
    parents = {r["id"]: r for r in results if r["type"] == "rectanglelabels"}
    scores = sorted((r["score"] for r in parents.values()), reverse=True)
    all_scores = sorted(expected.boxes.conf.tolist(), reverse=True)
    assert 0 < len(scores) <= len(all_scores)
    assert all(min(abs(s - t) for t in all_scores) < 1e-3 for s in scores)
    assert all(r["hidden"] for r in parents.values())
    truth = expected.keypoints.data[:, :3].reshape(-1, 3)
    children = [r for r in results if r["type"] == "keypointlabels"]
    assert {r["value"]["keypointlabels"][0] for r in children} <= {"p0", "p1", "p2"}
    for child in children:
        assert child["parentID"] in parents
        x, y = (child["value"]["x"] * 4, child["value"]["y"] * 3)
        apart = np.abs(truth - (x, y, child["score"]))
        assert (apart <= (1, 1, 1e-3)).all(axis=1).any()


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        ("Choices", "", "choices"),
        ("Choices", 'choice="multiple"', "choices"),
        ("Taxonomy", "", "taxonomy"),
    ],
)
def test_classes(kind: str, more: str, key: str, predict: Predict, reference: Any) -> None:
    results = predict(control_tag(kind, "yolo11n-cls", more, CHOICES, conf=0.1))["result"]
    probabilities = reference("yolo11n-cls", 0.1).probs.data
    order = [i for i in np.argsort(-probabilities) if probabilities[i] >= 0.1]
    names = [LABEL_OF[CLASSES[i]] for i in order]
    expected = [[name] for name in names] if kind == "Taxonomy" else names
    [result] = results
    assert result["value"][key] == (expected if more or kind == "Taxonomy" else expected[:1])
    assert result["score"] == pytest.approx(float(probabilities.max()), abs=1e-3)


def test_rectangle_and_labels_are_under_one_id(predict: Predict, reference: Any) -> None:
    tags = control_tag("Rectangle", "yolo11n", labels="")
    results = predict(tags + f'<Labels name="Labels" toName="image">{LABELS}</Labels>')["result"]
    shapes = [r for r in results if r["type"] == "rectangle"]
    labels = [r for r in results if r["type"] == "labels"]
    assert [r["id"] for r in shapes] == [r["id"] for r in labels]
    assert_same_objects(labels, reference("yolo11n", CONF).boxes)


def mask_iou(one: Any, other: Any) -> float:
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))


def test_picture_is_the_size_that_is_compared() -> None:
    assert PICTURE.shape[:2] == (SIZE.height, SIZE.width)
