"""What is drawn against what was said, without a browser: each kind right, and a bit off."""

from typing import Any

import pytest

from shared.editor.comparison import find_differences
from shared.editor.drawn import Drawing, DrawnRegion, frames_to_look_at
from shared.label_studio.label_config import LabelConfig
from shared.results import Brush, ImageSize
from tests.e2e.every_type import SCENES

CONFIG = LabelConfig.parse(SCENES["timeseries"].config)
SIZE = (200, 100)
BOX = {"x": 10, "y": 20, "width": 20, "height": 30, "rotation": 90}
# From 20, 20 a box of 40 by 30 pixels, turned by 90 degrees: its width goes down, its height left.
CORNERS = [(20, 20), (20, 60), (-10, 60), (-10, 20)]


def result(kind: str, **value: Any) -> dict[str, Any]:
    size = {"original_width": 4, "original_height": 2}
    return {"id": "a", "type": kind, "from_name": "c", "to_name": "object", **size, "value": value}


def drawn(kind: str, **keys: Any) -> Drawing:
    labels = keys.pop("labels", ["Car"])
    return Drawing({"a": DrawnRegion("a", kind, labels, **keys)}, {}, [])


def mask() -> list[int]:
    """Of 4 by 2 pixels the left column."""
    import numpy as np

    covered = np.array([[255, 0, 0, 0], [255, 0, 0, 0]], np.uint8)
    rle: list[int] = Brush(covered).to_value(ImageSize(4, 2))[0]["rle"]
    return rle


TEXT = result("labels", start=0, end=3, text="Ann", labels=["Car"])
ELLIPSE = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 0}
SOUND = result("labels", start=1.0, end=2.0, labels=["Car"])
SPAN = result("timeserieslabels", start=10, end=20, instant=False, timeserieslabels=["Car"])
MOMENT = result("timeserieslabels", start=10, end=10, instant=True, timeserieslabels=["Car"])
BARS = result("timelinelabels", ranges=[{"start": 3, "end": 11}], timelinelabels=["Car"])
ROWS: dict[str, tuple[dict[str, Any], Drawing, str]] = {
    # what is said, what is drawn, and what the difference has in it
    "a turned box": (
        result("rectanglelabels", **BOX, rectanglelabels=["Car"]),
        drawn("rectangleregion", size=SIZE, points=CORNERS),
        "",
    ),
    "a box two pixels off": (
        result("rectanglelabels", **BOX, rectanglelabels=["Car"]),
        drawn("rectangleregion", size=SIZE, points=[(x + 2, y) for x, y in CORNERS]),
        "a point is drawn at 22, 20, not at 20, 20",
    ),
    "a box that is not drawn": (
        result("rectanglelabels", **BOX, rectanglelabels=["Car"]),
        drawn("rectangleregion", size=SIZE),
        "not drawn on the image",
    ),
    "a box without its label": (
        result("rectanglelabels", **BOX, rectanglelabels=["Van"]),
        drawn("rectangleregion", size=SIZE, points=CORNERS, labels=[]),
        "its label 'Van' is not one of the editor's",
    ),
    "an ellipse": (  # its centre at 100, 50, 20 pixels across and 10 down
        result("ellipselabels", **ELLIPSE),
        drawn("ellipseregion", size=SIZE, points=[(120, 50), (100, 60), (80, 50), (100, 40)]),
        "",
    ),
    "a polygon that lost a point": (
        result("polygonlabels", points=[[0, 0], [50, 0], [50, 50], [0, 50]]),
        drawn("polygonregion", size=SIZE, points=[(0, 0), (100, 0), (100, 50)]),
        "with 3 points, not 4",
    ),
    "a mask": (
        result("brushlabels", format="rle", rle=mask()),
        drawn("brushregion", size=(4, 2), runs=[0, 1, 3, 1, 3]),
        "",
    ),
    "a mask two pixels off": (  # its left column and the one drawn, third, have one between them
        result("brushlabels", format="rle", rle=mask()),
        drawn("brushregion", size=(4, 2), runs=[2, 1, 3, 1, 1]),
        "4 pixels of the mask are over a pixel away",
    ),
    "a mask of another size": (
        result("brushlabels", format="rle", rle=mask()),
        drawn("brushregion", size=(8, 4), runs=[32]),
        "the mask has 4x2 pixels, the image 8x4",
    ),
    "a text": (TEXT, drawn("richtextregion", text="Ann", boxes=1), ""),
    "a text without a highlight": (TEXT, drawn("richtextregion"), "nothing is highlighted"),
    "another text": (TEXT, drawn("richtextregion", text="nn ", boxes=1), "highlights 'nn '"),
    "sound": (SOUND, drawn("audioregion", span=[1.0004, 2.0]), ""),
    "sound, 2 ms off": (SOUND, drawn("audioregion", span=[1.002, 2.0]), "from 1.002 to 2 s"),
    "a series": (SPAN, drawn("timeseriesregion", span=[10, 20, 0.1]), ""),
    "a series elsewhere": (SPAN, drawn("timeseriesregion", span=[11, 20, 0.1]), "from 11 to 20"),
    "a moment, two pixels wide": (MOMENT, drawn("timeseriesregion", span=[10, 10.2, 0.1]), ""),
    "a series beyond its axis": (SPAN, drawn("timeseriesregion"), "not drawn on the axis"),
    "bars": (BARS, drawn("timelineregion", bars=[[3, 11]]), ""),
    "bars elsewhere": (BARS, drawn("timelineregion", bars=[[5, 11]]), "no bar goes from frame 3"),
    "no region": (TEXT, Drawing({}, {}, []), "is not in the editor at all"),
    "a hidden region": (TEXT, drawn("richtextregion", hidden=True), ""),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_difference_is_found_where_there_is_one(name: str) -> None:
    said, drawing, message = ROWS[name]
    found = [difference.message for difference in find_differences([said], drawing, CONFIG)]
    assert len(found) == bool(message)
    assert message in "".join(found)


SEQUENCE = [{"frame": 1, "enabled": True, **BOX, "rotation": 0}, {"frame": 5, "enabled": False}]
SEQUENCE[1] |= {**BOX, "x": 50, "rotation": 0}
# 10 % of 200 pixels is 20, 50 % is 100, and on frame 3, in the middle, 60.
TRACK = {
    frame: [(x, 20), (x + 40, 20), (x + 40, 50), (x, 50)]
    for frame, x in {1: 20, 3: 60, 5: 100}.items()
}
TRACKS: dict[str, tuple[dict[int, Any], list[str]]] = {
    "as it was said": ({**TRACK, 6: None}, []),
    "still there after its end": ({**TRACK, 6: TRACK[5]}, ["on frame 6 it is drawn"]),
    "gone between": ({**TRACK, 3: None}, ["on frame 3 it is not drawn"]),
    "not moving": (
        {**TRACK, 3: TRACK[1]},
        ["on frame 3: a point is drawn at 20, 20, not at 60, 20"],
    ),
}


@pytest.mark.parametrize("name", TRACKS)
def test_a_track_is_compared_on_each_frame(name: str) -> None:
    places, messages = TRACKS[name]
    region = DrawnRegion("a", "videorectangleregion", ["Car"])
    drawing = Drawing({"a": region}, {}, [], SIZE, {"a": places})
    said = result("videorectangle", sequence=SEQUENCE, labels=["Car"])
    found = [difference.message for difference in find_differences([said], drawing, CONFIG)]
    assert found == messages


def test_choices_are_compared_with_those_that_are_checked() -> None:
    region = DrawnRegion("a", "")
    drawing = Drawing({"a": region}, {"c": ["good", ["Eats", "Fruit"]]}, [])
    said = result("choices", choices=["good", ["Eats", "Fruit"], "bad"])
    [(name, message)] = find_differences([said], drawing, CONFIG)
    assert (name, message[:22]) == ("a", "'bad' is not checked, ")


def test_key_frames_and_the_frames_between_are_looked_at() -> None:
    said = [result("videorectangle", sequence=SEQUENCE)]
    assert frames_to_look_at(said) == [1, 3, 5]
    long = [result("videorectangle", sequence=[{"frame": n} for n in range(1, 1001)])]
    assert frames_to_look_at(long)[0] == 1
    assert frames_to_look_at(long)[-1] == 1000
    assert len(frames_to_look_at(long)) <= 17
