"""The text in what the user draws is returned under the id of the drawn region."""

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from backends.ocr.backend import OcrBackend
from tests.backends.ocr.drawing import data_url, font

pytestmark = pytest.mark.usefixtures("keep_rapid")

CONFIG = """<View><Image name="i" value="$image"/>
  <Labels name="l" toName="i"><Label value="Text"/><Label value="Amount"/></Labels>
  <Rectangle name="r" toName="i" smart="true"/><Polygon name="p" toName="i" smart="true"/>
  <TextArea name="t" toName="i" perRegion="true"/><TextArea name="wholeText" toName="i"/></View>"""
SIZE = (800, 400)


def sheet(degrees: float = 0) -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    pen.text((60, 60), "first things first", font=font(32), fill="black")
    pen.text((60, 180), "second helping", font=font(32), fill="black")
    pen.text((450, 180), "elsewhere", font=font(32), fill="black")
    return image.rotate(-degrees, expand=False, fillcolor="white")


def drawn(value: dict[str, Any], kind: str = "rectangle", **extra: Any) -> dict[str, Any]:
    beside = {"original_width": SIZE[0], "original_height": SIZE[1], "image_rotation": 0}
    name = {"rectangle": "r", "polygon": "p"}[kind]
    region = {"id": "drawn1", "from_name": name, "to_name": "i", "type": kind}
    labels = {
        **region,
        "from_name": "l",
        "type": "labels",
        "value": {**value, "labels": ["Amount"]},
    }
    return {"result": [{**region, "value": value, **beside}, {**labels, **beside}], **extra}


def answer(context: dict[str, Any], image: Image.Image | None = None) -> Any:
    backend = OcrBackend(label_config=CONFIG)
    task = {"id": 1, "data": {"image": data_url(image or sheet())}}
    [prediction] = backend.predict([task], context=context)
    return prediction


BOX = {"x": 6, "y": 40, "width": 40, "height": 20, "rotation": 0}
POLYGON = {"points": [[5, 10], [50, 10], [50, 30], [5, 30]], "closed": True}


def test_rectangle_gets_its_text_under_its_id() -> None:
    results = answer(drawn(BOX))["result"]
    assert [result["type"] for result in results] == ["rectangle", "labels", "textarea"]
    assert {result["id"] for result in results} == {"drawn1"}
    assert results[2]["value"] == {**BOX, "text": ["second helping"]}
    assert results[1]["value"]["labels"] == ["Amount"]


def test_the_same_context_gives_the_same_answer() -> None:
    assert answer(drawn(BOX)) == answer(drawn(BOX))


def test_a_polygon() -> None:
    results = answer(drawn(POLYGON, "polygon"))["result"]
    assert results[0]["value"]["points"] == POLYGON["points"]
    assert results[2]["value"]["text"] == ["first things first"]


def test_two_lines_in_a_rectangle_are_two_lines_of_text() -> None:
    [*_, area] = answer(drawn({"x": 5, "y": 10, "width": 45, "height": 55, "rotation": 0}))[
        "result"
    ]
    assert area["value"]["text"] == ["first things first\nsecond helping"]


def test_a_turned_rectangle() -> None:
    """The page is turned by 90° about its center, the box about its top left corner, as drawn."""
    image = sheet().rotate(-90, expand=True, fillcolor="white")
    value = {"x": 60.0, "y": 6.0, "width": 90.0, "height": 10.0, "rotation": 90}
    context = drawn(value)
    for result in context["result"]:
        result["original_width"], result["original_height"] = image.size
    [*_, area] = answer(context, image)["result"]
    assert area["value"]["text"] == ["second helping"]


@pytest.mark.parametrize("degrees", [30, -25, 170])
def test_a_rectangle_turned_by_any_angle(degrees: float) -> None:
    """Drawn tightly around one line of a turned page: nothing beside it is read."""
    image = sheet(degrees)
    angle, middle = math.radians(degrees), np.array(SIZE) / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    left, top = (turn @ (np.array([52, 172]) - middle) + middle) * 100 / SIZE
    width, height = np.array([290, 50]) * 100 / SIZE
    value = {"x": left, "y": top, "width": width, "height": height, "rotation": degrees}
    [*_, area] = answer(drawn({key: float(number) for key, number in value.items()}), image)[
        "result"
    ]
    assert area["value"]["text"] == ["second helping"]
    assert area["value"]["rotation"] == pytest.approx(degrees % 360)


@pytest.mark.parametrize(
    "context",
    [
        {"result": []},
        {},
        drawn({"x": 60, "y": 70, "width": 20, "height": 20, "rotation": 0}),
        {"result": [{"id": "a", "from_name": "nobody", "type": "rectangle", "value": BOX}]},
        drawn({"x": 1, "y": 1}),
        drawn({"points": [], "closed": True}, "polygon"),
    ],
    ids=["nothing drawn", "no result", "blank paper", "other tag", "no size", "no points"],
)
def test_context_without_a_drawn_region_gives_an_empty_prediction(context: dict[str, Any]) -> None:
    assert answer(context)["result"] == []
