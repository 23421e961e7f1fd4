"""OCR and detection on one label config: the one whose classes match the labels draws."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from backends.detection.backend import DetectionBackend
from backends.ocr.backend import OcrBackend
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from tests.backends.ocr.drawing import data_url, font

SHAPES = Path(__file__).parents[3] / "backends" / "detection" / "examples" / "shapes-1.png"
Results = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _starter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTION_MODEL", "starter")


def shapes() -> str:
    """Draw shapes that the detection starter knows."""
    return "data:image/png;base64," + base64.b64encode(SHAPES.read_bytes()).decode()


def receipt() -> str:
    """Draw two lines of print."""
    image = Image.new("RGB", (600, 300), "white")
    pen = ImageDraw.Draw(image)
    pen.text((60, 60), "CORNER MARKET", font=font(36), fill="black")
    pen.text((60, 180), "TOTAL 12.80", font=font(36), fill="black")
    return data_url(image)


def config(labels: str, area: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels.split())
    return f"""<View><Image name="image" value="$image"/>
    <RectangleLabels name="box" toName="image">{inside}</RectangleLabels>
    <TextArea name="{area}" toName="image" perRegion="true"/></View>"""


def predicted(xml: str, *images: str) -> list[Results]:
    classes = (DetectionBackend, OcrBackend)
    route = runtime().planner.plan(
        LabelConfig.parse(xml), [cls(label_config=xml, served=True) for cls in classes]
    )
    version = route.version(wait=True)
    tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images)]
    outcomes = list(runtime().pipeline.run(route, tasks))
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
    assert len(predictions) == len(images), [outcome.error for outcome in outcomes]
    assert not any(prediction.dropped for prediction in predictions)
    assert {prediction.version for prediction in predictions} == {version}, "as /setup says"
    return [list(prediction.results) for prediction in predictions]


def types(results: Results) -> set[str]:
    return {result["type"] for result in results}


def values(results: Results, key: str) -> set[str]:
    found: list[Mapping[str, Any]] = [result["value"] for result in results]
    return {name for value in found for name in value.get(key, ())}


def test_note_on_each_box_leaves_the_boxes_to_the_detector() -> None:
    drawn, printed = predicted(config("circle star", "description"), shapes(), receipt())
    assert types(drawn) == {"rectanglelabels"}
    assert values(drawn, "rectanglelabels") == {"circle", "star"}
    assert printed == []


def test_backend_that_knows_the_labels_draws_where_text_is_asked_for() -> None:
    """One test for all cases, since both models must be loaded."""
    drawn, printed = predicted(config("circle star", "transcription"), shapes(), receipt())
    assert values(drawn, "rectanglelabels") == {"circle", "star"}
    assert printed == [], "its lines are neither"

    [read] = predicted(config("Shop Total", "transcription"), receipt())
    assert types(read) == {"textarea"}, "the annotator says what each line is"
    assert values(read, "text") == {"CORNER MARKET", "TOTAL 12.80"}
    assert all({"x", "y", "width", "height"} <= result["value"].keys() for result in read)

    [labelled] = predicted(config("Logo Text", "transcription"), receipt())
    assert values(labelled, "rectanglelabels") == {"Text"}
    assert values(labelled, "text") == {"CORNER MARKET", "TOTAL 12.80"}
