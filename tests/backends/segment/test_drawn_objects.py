"""Which clicks, boxes and strokes are one object, and what is no prompt."""

from typing import Any

import numpy as np
import pytest

from backends.segment.drawn_objects import DrawnImage, read_drawn_image, scale_prompt
from backends.segment.prompts import Box, ObjectPrompt, Point
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig
from shared.results import Bitmask, ImageSize
from tests.backends.segment.drawing import CONFIG, HEIGHT, WIDTH, box, click, context, stroke

PARSED = LabelConfig.parse(CONFIG)


def read(*results: dict[str, Any]) -> DrawnImage | None:
    return read_drawn_image(context(*results), PARSED, PARSED.objects["i"])


def objects(*results: dict[str, Any]) -> list[tuple[str, list[Point], Box | None]]:
    found = read(*results)
    assert found is not None
    assert found.frame == ImageSize(WIDTH, HEIGHT)
    rounded = [
        [Point(round(p.x, 3), round(p.y, 3), p.is_positive) for p in one.prompt.points]
        for one in found.objects
    ]
    return [
        (one.label, points, one.prompt.box)
        for one, points in zip(found.objects, rounded, strict=True)
    ]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param([click(10, 20)], [("Cat", [Point(10, 20)], None)], id="click"),
        pytest.param(
            [click(10, 20), click(30, 20, positive=False), click(12, 20)],
            [("Cat", [Point(10, 20), Point(30, 20, False), Point(12, 20)], None)],
            id="clicks of one label are one object, in their order",
        ),
        pytest.param(
            [click(10, 20), click(50, 40, "Dog"), click(11, 20)],
            [("Cat", [Point(10, 20), Point(11, 20)], None), ("Dog", [Point(50, 40)], None)],
            id="labels are apart, the first drawn comes first",
        ),
        pytest.param(
            [box(10, 10, 30, 30), box(50, 10, 90, 70)],
            [("Cat", [], Box(10, 10, 30, 30)), ("Cat", [], Box(50, 10, 90, 70))],
            id="each box is an object",
        ),
        pytest.param(
            [click(20, 20), box(10, 10, 30, 30), click(95, 75), click(25, 25, positive=False)],
            [
                ("Cat", [Point(20, 20), Point(25, 25, False)], Box(10, 10, 30, 30)),
                ("Cat", [Point(95, 75)], None),
            ],
            id="clicks in a box belong to it, others to an object of their own",
        ),
        pytest.param(
            [box(0, 0, 90, 70), box(10, 10, 30, 30), click(20, 20, positive=False)],
            [
                ("Cat", [], Box(0, 0, 90, 70)),
                ("Cat", [Point(20, 20, False)], Box(10, 10, 30, 30)),
            ],
            id="of two boxes the smaller one has the click",
        ),
        pytest.param(
            [box(0, 0, 20, 20), box(60, 60, 90, 79), click(50, 60, positive=False)],
            [
                ("Cat", [], Box(0, 0, 20, 20)),
                ("Cat", [Point(50, 60, False)], Box(60, 60, 90, 79)),
            ],
            id="a negative click outside belongs to the nearest box",
        ),
        pytest.param(
            [box(10, 20, 10, 20)], [("Cat", [Point(10, 20)], None)], id="a box of no size"
        ),
        pytest.param(
            [box(50, 20, 70, 40, rotation=90)],
            [("Cat", [], Box(30, 20, 50, 40))],
            id="a turned box is the upright one around it",
        ),
        pytest.param(
            [box(80, 60, 130, 99)],
            [("Cat", [], Box(80, 60, 100, 80))],
            id="a box is cut at the image's edge",
        ),
        pytest.param(
            [click(10, 20), click(10, 20, positive=False), click(30, 20)],
            [("Cat", [Point(10, 20, False), Point(30, 20)], None)],
            id="of contradicting clicks the last one counts",
        ),
        pytest.param(
            [click(10, 20), click(300, 20)],
            [("Cat", [Point(10, 20)], None)],
            id="a click outside is left out",
        ),
        pytest.param([click(10, 20, None)], [("", [Point(10, 20)], None)], id="no label"),
    ],
)
def test_objects(drawn: list[dict[str, Any]], expected: list[Any]) -> None:
    assert objects(*drawn) == expected


def test_nothing_to_segment() -> None:
    assert read() is None


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        pytest.param([click(300, 20)], "not on the image: x = 300, y = 20 on 100 × 80", id="out"),
        pytest.param([click(float("nan"), 20)], 'in the drawn region "drawn0" is no', id="NaN"),
        pytest.param([{**click(1, 1), "original_width": 0}], "no original_width", id="no size"),
        pytest.param(
            [{**click(1, 1), "value": {"x": 3, "width": 1}}], "Invalid drawn region", id="half"
        ),
        pytest.param([click(10, 20, positive=False)], "none where it is", id="negative alone"),
        pytest.param([click(n / 4, 1) for n in range(300)], "300 clicks are on one", id="300"),
        pytest.param(
            [box(n, n, n + 5, n + 5) for n in range(70)], "70 objects are drawn", id="70 boxes"
        ),
        pytest.param(
            [{**click(1, 1), "original_width": float("inf")}], "original_width", id="endless frame"
        ),
        pytest.param(
            [{**click(0, 0), "original_width": 0.4}], "original_width", id="frame below a pixel"
        ),
        pytest.param(
            [click(1, 1), {**click(2, 2), "original_width": 2 * WIDTH}],
            "of one size, found 100 × 80 and 200 × 80",
            id="two sizes of one image",
        ),
        pytest.param(
            [
                stroke(1, 1, 9, 9),
                {**stroke(1, 1, 9, 9), "original_width": 50, "original_height": 160},
            ],
            "of one size",
            id="strokes of two sizes",
        ),
        pytest.param([click(1, 1, item_index=[1])], "item_index", id="item_index is a list"),
    ],
)
def test_refused(drawn: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read(*drawn)


def test_a_bitmask_of_another_size_than_the_image_is_refused() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$image"/><Bitmask name="m" toName="i" smart="true"/></View>'
    )
    value, keys = Bitmask(np.ones((8, 10), np.uint8)).to_value(ImageSize(WIDTH, HEIGHT))
    drawn = {"from_name": "m", "to_name": "i", "type": "bitmask", "value": value, **keys}
    with pytest.raises(TaskError, match="10 × 8 pixels, expected 100 × 80"):
        read_drawn_image({"result": [drawn]}, config, config.objects["i"])


def test_hundreds_of_equal_clicks_are_one() -> None:
    assert objects(*[click(10, 20)] * 900) == [("Cat", [Point(10, 20)], None)]


def test_what_is_drawn_on_another_image_tag_is_left_out() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$a"/><Image name="j" value="$b"/>'
        '<KeyPoint name="k" toName="i,j" smart="true"/></View>'
    )
    drawn = context({**click(10, 20, None), "to_name": "j", "type": "keypoint"})
    assert read_drawn_image(drawn, config, config.objects["i"]) is None
    assert read_drawn_image(drawn, config, config.objects["j"]) is not None


def test_strokes_of_a_label_are_one_object() -> None:
    found = read(stroke(10, 10, 20, 12), click(50, 40), stroke(30, 10, 40, 12))
    assert found is not None
    [one] = found.objects
    painted = np.zeros((HEIGHT, WIDTH), bool)
    painted[10:12, 10:20] = painted[10:12, 30:40] = True
    assert one.prompt.stroke is not None
    assert (one.prompt.stroke == painted).all()
    assert [(p.x, p.y) for p in one.prompt.points] == [(50, 40)]


def test_of_several_images_the_last_one_counts() -> None:
    found = read(click(10, 20, item_index=0), click(30, 40, item_index=2))
    assert found is not None
    assert found.item_index == 2
    assert [(p.x, p.y) for one in found.objects for p in one.prompt.points] == [(30, 40)]


def test_region_ids_follow_from_the_first_click() -> None:
    first, more = read(click(10, 20)), read(click(10, 20), click(30, 40))
    other = read(click(10, 20, "Dog"))
    assert first
    assert more
    assert other
    assert first.objects[0].region_id == more.objects[0].region_id
    assert first.objects[0].region_id != other.objects[0].region_id


def test_a_prompt_is_scaled_to_the_image() -> None:
    painted = np.zeros((HEIGHT, WIDTH), bool)
    painted[40:, 50:] = True
    prompt = ObjectPrompt((Point(10, 20, False),), Box(0, 10, 20, 40), painted)
    scaled = scale_prompt(prompt, ImageSize(WIDTH, HEIGHT), ImageSize(200, 40))
    assert scaled.points == (Point(20, 10, False),)
    assert scaled.box == Box(0, 5, 40, 20)
    assert scaled.stroke is not None
    assert scaled.stroke.shape == (40, 200)
    assert scaled.stroke[20:, 100:].all()
    assert scaled.stroke.sum() == 20 * 100
