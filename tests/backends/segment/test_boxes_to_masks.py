"""Boxes that a detector finds become masks, where a tag asks for them: two real starters."""

from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.segment import SegmentBackend
from shared.backend.example import FILES_ROOT
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import reset_runtime, runtime
from shared.results import rle
from tests.backends.segment.flood import FloodBackend

Results = list[dict[str, Any]]

LABELS = "".join(f'<Label value="{name}"/>' for name in ("Circle", "Square", "Triangle", "Star"))
BOXES = f'<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>'
MASKS = f'<BrushLabels name="mask" toName="image" model_segment="true">{LABELS}</BrushLabels>'
IMAGE = "/data/local-files/?d=detection/examples/shapes-1.png"
STARTERS = {"SEGMENT_MODEL": "starter", "DETECTION_MODEL": "starter", "ENGINE": "torch"}


def config(*tags: str, key: str = "value") -> str:
    return f'<View><Image name="image" {key}="$image"/>{"".join(tags)}</View>'


@pytest.fixture(autouse=True)
def _starters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**STARTERS, "LOCAL_FILES_ROOT": str(FILES_ROOT)}.items():
        monkeypatch.setenv(name, value)
    reset_runtime()


def plan_of(xml: str, segment: type[SegmentBackend] = SegmentBackend) -> PredictionPlan:
    parsed = LabelConfig.parse(xml)
    classes = (DetectionBackend, segment)
    return runtime().planner.plan(parsed, [cls(label_config=parsed.xml) for cls in classes])


def predict(xml: str, image: Any = IMAGE, context: Any = None) -> Results:
    [outcome] = runtime().pipeline.run(plan_of(xml), [{"id": 1, "data": {"image": image}}], context)
    assert outcome.prediction is not None, outcome.error
    return list(outcome.prediction.results)


def of_tag(name: str, results: Results) -> Results:
    return [one for one in results if one["from_name"] == name]


def mask_of(result: dict[str, Any]) -> Any:
    height, width = result["original_height"], result["original_width"]
    return rle.decode(result["value"]["rle"], height, width) > 0


def box_of_mask(result: dict[str, Any]) -> tuple[float, ...]:
    """Left, top, right and bottom in percent."""
    mask = mask_of(result)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x, y = 100 / mask.shape[1], 100 / mask.shape[0]
    return columns[0] * x, rows[0] * y, (columns[-1] + 1) * x, (rows[-1] + 1) * y


def test_each_box_has_a_mask_inside_it_with_its_label_and_score() -> None:
    results = predict(config(BOXES, MASKS))
    boxes, masks = of_tag("box", results), of_tag("mask", results)
    assert len(boxes) == len(masks) >= 3
    for box, mask in zip(boxes, masks, strict=True):
        assert mask["value"]["brushlabels"] == box["value"]["rectanglelabels"]
        assert mask["score"] == box["score"]
        value = box["value"]
        edges = (
            value["x"],
            value["y"],
            value["x"] + value["width"],
            value["y"] + value["height"],
        )
        assert np.allclose(box_of_mask(mask), edges, atol=2)  # percent of the picture
    assert len({one["id"] for one in results}) == len(results)


@pytest.mark.parametrize(
    "tags",
    [(MASKS,), (BOXES.replace("toName", 'model_skip="true" toName'), MASKS)],
    ids=["no boxes", "hidden boxes"],
)
def test_masks_alone(tags: tuple[str, ...]) -> None:
    with_boxes, alone = predict(config(BOXES, MASKS)), predict(config(*tags))
    expected = of_tag("mask", with_boxes)
    assert [one["from_name"] for one in alone] == ["mask"] * len(expected)
    assert all((mask_of(a) == mask_of(b)).all() for a, b in zip(alone, expected, strict=True))


@pytest.mark.parametrize("tag", ["Polygon", "Bitmask", "Ellipse"])
def test_other_tags_for_masks(tag: str) -> None:
    xml = f'<{tag}Labels name="mask" toName="image" model_segment="true">{LABELS}</{tag}Labels>'
    results = predict(config(xml))
    assert len(results) == len(of_tag("mask", predict(config(MASKS))))
    assert all(one["value"][f"{tag.lower()}labels"] for one in results)


def test_tags_without_labels_of_their_own() -> None:
    tags = f"""<Brush name="mask" toName="image" model_segment="true"/>
        <Labels name="label" toName="image">{LABELS}</Labels>"""
    results = predict(config(tags))
    named = [one["value"]["labels"] for one in of_tag("label", results)]
    expected = [one["value"]["brushlabels"] for one in predict(config(MASKS))]
    assert named == expected
    assert len(of_tag("mask", results)) == len(named)


def test_labels_that_the_masks_lack_and_thresholds_of_the_boxes() -> None:
    circles = MASKS.replace(LABELS, '<Label value="Circle"/>')
    results = predict(config(BOXES, circles))
    masks = of_tag("mask", results)
    assert {one["value"]["brushlabels"][0] for one in masks} == {"Circle"}
    assert len(of_tag("box", results)) > len(masks)
    sure = BOXES.replace("toName", 'model_score_threshold="1" toName')
    assert predict(config(sure, circles)) == []


def test_images_of_a_list() -> None:
    images = [IMAGE, IMAGE.replace("shapes-1", "shapes-2")]
    results = predict(config(BOXES, MASKS, key="valueList"), images)
    boxes, masks = of_tag("box", results), of_tag("mask", results)
    assert {one["item_index"] for one in masks} == {0, 1}
    assert [one["item_index"] for one in masks] == [one["item_index"] for one in boxes]


def test_clicks_are_answered_beside_it() -> None:
    points = f'<KeyPointLabels name="k" toName="image" smart="true">{LABELS}</KeyPointLabels>'
    [box, *_] = of_tag("box", predict(config(BOXES, MASKS)))
    value = box["value"]
    middle = {
        "x": value["x"] + value["width"] / 2,
        "y": value["y"] + value["height"] / 2,
        "width": 0.5,
        "keypointlabels": ["Star"],
    }
    click = {
        **{key: box[key] for key in ("original_width", "original_height", "to_name")},
        "id": "drawn",
        "from_name": "k",
        "type": "keypointlabels",
        "value": middle,
    }
    [answer] = predict(config(BOXES, MASKS, points), context={"result": [click]})
    assert (answer["from_name"], answer["value"]["brushlabels"]) == ("mask", ["Star"])


def test_the_version_is_that_of_both_models() -> None:
    both = plan_of(config(MASKS))
    assert {step.backend.name for step in both.steps} == {"detection", "segment"}
    assert both.filled_by() == {"mask": "segment"}
    parts = both.version(wait=True).split("+")
    assert [part.rsplit("-", 1)[0] for part in parts] == ["detection-starter", "segment-starter"]
    sure = MASKS.replace("toName", 'model_score_threshold="0.9" toName')
    assert plan_of(config(sure)).version(wait=True) != both.version(wait=True)


def test_weights_of_boxes_are_not_those_of_masks() -> None:
    boxes = BOXES.replace("toName", 'model_path="starter" model_backend="detection" toName')
    plan = plan_of(config(boxes, MASKS), FloodBackend)
    assert {step.spec.model for step in plan.steps} == {"starter"}
    assert plan.problems == ()


def test_boxes_without_labels_make_no_masks_with_labels(caplog: pytest.LogCaptureFixture) -> None:
    results = predict(config('<Rectangle name="box" toName="image"/>', MASKS))
    assert {one["from_name"] for one in results} == {"box"}
    assert 'none that Rectangle "box" got has one' in caplog.text


def test_boxes_are_tightened() -> None:
    """A tag for boxes may ask for masks, too: it gets the boxes around them."""
    results = predict(config(BOXES.replace("toName", 'model_segment="true" toName')))
    masks = predict(config(MASKS))
    assert {one["type"] for one in results} == {"rectanglelabels"}
    for one, mask in zip(results, masks, strict=True):
        left, top, right, bottom = box_of_mask(mask)
        value = one["value"]
        edges = (value["x"], value["y"], value["width"], value["height"])
        assert np.allclose(edges, (left, top, right - left, bottom - top), atol=0.01)


def test_where_nothing_finds_boxes_the_plan_says_so() -> None:
    parsed = LabelConfig.parse(config(MASKS))
    plan = runtime().planner.plan(parsed, [SegmentBackend(label_config=parsed.xml)])
    assert (
        'BrushLabels "mask" gets what segment makes of RectangleLabels "mask", which nothing that'
        " serves here fills" in plan.problems
    )
