"""Shapes in fractions of 1, as YOLO writes them: said once a file."""

from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import FractionDetector

Json = dict[str, Any]

CONFIG = """<View><Image name="image" value="$image"/><Video name="video" value="$video"/>
  <Pdf name="pdf" value="$pdf"/><Text name="text" value="$text"/>
  <Labels name="any" toName="image"><Label value="Car"/></Labels>
  <VideoRectangle name="track" toName="video"/>
  <OcrLabels name="ocr" toName="pdf"><Label value="Car"/></OcrLabels>
  <Labels name="span" toName="text"><Label value="Car"/></Labels>
</View>"""


def result(value: Json, name: str = "any", kind: str = "labels") -> Json:
    return {"id": "a", "from_name": name, "to_name": "image", "type": kind, "value": value}


BOX = {"x": 0.24, "y": 0.6, "width": 0.31, "height": 0.3, "rotation": 0}
SHAPES = {
    "box": BOX,
    "box that is turned": {**BOX, "rotation": 30},
    "box over all": {"x": 0, "y": 0, "width": 1, "height": 1},
    "ellipse": {"x": 0.5, "y": 0.5, "radiusX": 0.2, "radiusY": 0.1},
    "polygon": {"points": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.7]], "closed": True},
    "key point": {"x": 0.5, "y": 0.25, "width": 2},
    "vector": {"vertices": [{"id": "a", "x": 0.1, "y": 0.2}, {"id": "b", "x": 0.3, "y": 0.9}]},
    "track": {"sequence": [{"frame": 1, **BOX}, {"frame": 30, **BOX}]},
}
PERCENT = {
    "box": {**BOX, "x": 24.0},
    "box in the corner, but wide": {**BOX, "width": 31.0},
    "ellipse": {**SHAPES["ellipse"], "radiusX": 20},
    "polygon with one point farther": {"points": [[0.1, 0.1], [0.9, 0.1], [0.5, 7]]},
    "track that leaves the corner": {
        "sequence": [{"frame": 1, **BOX}, {"frame": 2, "x": 9, "y": 9}]
    },
}
NEITHER = {
    "no place": {"labels": ["Car"]},
    "zeros": {"x": 0, "y": 0, "width": 0, "height": 0},
    "numbers as text": {"x": "0.5", "y": "0.5"},
    "points that are none": {"points": [1, None, "x", {"x": 0.1}]},
    "mask": {"format": "rle", "rle": [0, 1]},
}


def said(*results: Any) -> list[str]:
    fractions = FractionDetector(LabelConfig.parse(CONFIG))
    for found in results:
        fractions.observe_results([found])
    return [finding.rule for finding in fractions.findings()]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes_below_1_are_taken_for_fractions(shape: Json) -> None:
    name, kind = ("track", "videorectangle") if "sequence" in shape else ("any", "labels")
    found = result(shape, name, kind)
    assert said(found) == ["fractions"]
    assert said(found, found, found) == ["fractions"]
    assert said(found, result(PERCENT["box"])) == []
    assert said(result(PERCENT["box"]), found) == []


@pytest.mark.parametrize("shape", PERCENT.values(), ids=PERCENT)
def test_one_shape_in_percent_says_that_all_are(shape: Json) -> None:
    assert said(result(BOX), result(shape)) == []


@pytest.mark.parametrize("value", NEITHER.values(), ids=NEITHER)
def test_what_has_no_place_is_left_alone(value: Json) -> None:
    assert said(result(value)) == []
    assert said(result(BOX), result(value)) == ["fractions"]


def test_other_objects_have_other_units() -> None:
    """A PDF's boxes are in fractions indeed, and a span is in no unit of length."""
    assert said(result(BOX, "ocr", "ocrlabels"), result({"start": 0, "end": 1}, "span")) == []
    assert said(3, None, {"from_name": ["any"], "value": BOX}, {"from_name": "any"}) == []
