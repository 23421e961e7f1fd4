from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.server.pages.drawing import draw_prediction
from shared.server.pages.gallery import example_file

IMAGE = LabelConfig.parse(
    '<View><RectangleLabels name="b" toName="i"><Label value="Car"/></RectangleLabels>'
    '<Image name="i" value="$image"/></View>'
)
TEXT = LabelConfig.parse(
    '<View><Labels name="l" toName="t"><Label value="A"/><Label value="B"/></Labels>'
    '<Text name="t" value="$text"/></View>'
)


def region(**value: Any) -> dict[str, Any]:
    shape = {"id": "r", "from_name": "b", "to_name": "i", "type": "rectanglelabels"}
    size = {"original_width": 200, "original_height": 100}
    return {**shape, **size, "value": {"rectanglelabels": ["Car"], **value}}


@pytest.mark.parametrize(
    ("value", "points"),
    [
        # 10 % of 200 = 20, 20 % of 100 = 20; 30 % of 200 = 60 wide, 40 % of 100 = 40 high
        pytest.param(
            {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0},
            "20.0,20.0 80.0,20.0 80.0,60.0 20.0,60.0",
            id="box",
        ),
        # turned by 90° about its corner (20, 20): (60, 0) becomes (0, 60), (0, 40) becomes (-40, 0)
        pytest.param(
            {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 90},
            "20.0,20.0 20.0,80.0 -20.0,80.0 -20.0,20.0",
            id="turned-box",
        ),
        pytest.param(
            {"points": [[0, 0], [50, 0], [50, 50]]}, "0.0,0.0 100.0,0.0 100.0,50.0", id="polygon"
        ),
    ],
)
def test_shape_is_drawn_in_pixels(value: dict[str, Any], points: str) -> None:
    drawing = draw_prediction(IMAGE, {"image": "data:image/png;base64,"}, [region(**value)])
    [picture] = drawing.pictures
    assert [(shape.points, shape.label) for shape in picture.shapes] == [(points, "Car")]
    assert (picture.width, picture.height) == (200, 100)


def test_overlapping_spans_split_the_text_where_they_begin_and_end() -> None:
    def span(start: int, end: int, label: str) -> dict[str, Any]:
        value = {"start": start, "end": end, "labels": [label]}
        return {"from_name": "l", "to_name": "t", "type": "labels", "value": value}

    # code points: the emoji counts one; A is 1–4, B is 3–6 of "a😀bcdefg"
    drawing = draw_prediction(TEXT, {"text": "a😀bcdefg"}, [span(1, 4, "A"), span(3, 6, "B")])
    [pieces] = drawing.texts
    found = [(piece.text, piece.labels) for piece in pieces]
    assert found == [("a", ""), ("😀b", "A"), ("c", "A, B"), ("de", "B"), ("fg", "")]


def test_only_the_very_files_of_examples_are_read() -> None:
    own = "/data/local-files/?d=detection/examples/shapes-1.png"
    found = example_file(own, ["detection"])
    assert found is not None
    assert found.startswith("data:image/png;base64,iVBOR")
    for value in (
        "/data/local-files/?d=detection/examples/../backend.py",
        "/data/local-files/?d=detection/label_config.xml",
        "/etc/passwd",
    ):
        assert example_file(value, ["detection"]) is None
    assert example_file(own, ["ner"]) is None
