"""Pixels to percent and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.results import Ellipse, ImageSize, KeyPoint, Polygon, Rectangle, Vector

SIZE = ImageSize(640, 480)
sizes = st.builds(ImageSize, st.integers(1, 20_000), st.integers(1, 20_000))
inside = st.floats(0, 1)
angles = st.floats(0, 359.9)


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        pytest.param((64, 48, 128, 96), (10, 10, 10, 10), id="inside"),
        pytest.param((-64, -48, 64, 48), (0, 0, 10, 10), id="past the top left corner"),
        pytest.param((576, 432, 700, 500), (90, 90, 10, 10), id="past the bottom right corner"),
        pytest.param((700, 10, 800, 20), (100, 2.08333, 0, 2.08333), id="outside has no width"),
        pytest.param((10, 10, 10, 10), (1.5625, 2.08333, 0, 0), id="no size"),
    ],
)
def test_upright_boxes_are_clipped(box: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    value, beside = Rectangle.from_xyxy(box).to_value(SIZE)
    assert tuple(value[key] for key in ("x", "y", "width", "height")) == wanted
    assert beside == {"original_width": 640, "original_height": 480, "image_rotation": 0}


@pytest.mark.parametrize(
    "shape",
    [
        Rectangle(math.nan, 1, 2, 3),
        Rectangle(1, 1, math.inf, 3),
        Rectangle(1, 1, 2, 3, math.nan),
        Rectangle(1, 1, 2, 3, math.inf),
        Ellipse(math.nan, 1, 2, 3),
        KeyPoint(math.nan, math.inf),
        Polygon([(math.nan, 1), (math.inf, 2)]),
        Polygon([]),
        Vector([(math.nan, 1)]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [SIZE, ImageSize(0, 0)], ids=["image", "no image"])
def test_noise_never_raises(shape: Rectangle, size: ImageSize) -> None:
    shape.to_value(size)


def test_a_keypoint_next_to_the_edge_is_moved_to_it() -> None:
    assert KeyPoint(-0.4, 480.9).to_value(SIZE)[0] == {"x": 0, "y": 100, "width": 0.5}
    assert KeyPoint(-30, 10).to_value(SIZE)[0]["x"] < 0


def test_a_rotation_is_from_0_to_360() -> None:
    assert Rectangle(1, 1, 2, 2, -30).to_value(SIZE)[0]["rotation"] == 330
    assert Ellipse(1, 1, 2, 2, 390).to_value(SIZE)[0]["rotation"] == 30


def test_the_corner_that_a_box_turns_about_is_its_top_left() -> None:
    """A quarter turn clockwise lays the box to the left of the corner."""
    corners = Rectangle(100, 50, 40, 20, 90).corners()
    assert [tuple(map(round, corner)) for corner in corners] == [
        (100, 50),
        (100, 90),
        (80, 90),
        (80, 50),
    ]


@given(sizes, inside, inside, inside, inside)
def test_boxes_come_back(size: ImageSize, x: float, y: float, w: float, h: float) -> None:
    box = Rectangle(
        x * size.width, y * size.height, w * (1 - x) * size.width, h * (1 - y) * size.height
    )
    again = Rectangle.from_value(box.to_value(size)[0], size)
    for before, after, whole in zip(
        (box.x, box.y, box.width, box.height),
        (again.x, again.y, again.width, again.height),
        (size.width, size.height) * 2,
        strict=True,
    ):
        assert abs(before - after) <= whole * 1e-7


@given(st.floats(-2, 3), st.floats(-2, 3), st.floats(0, 3), st.floats(0, 3), sizes)
def test_clipped_boxes_lie_in_the_image(
    x: float, y: float, w: float, h: float, size: ImageSize
) -> None:
    box = Rectangle(x * size.width, y * size.height, w * size.width, h * size.height)
    value, _ = box.to_value(size)
    assert 0 <= value["x"] <= 100
    assert 0 <= value["y"] <= 100
    assert value["x"] + value["width"] <= 100.0001
    assert value["y"] + value["height"] <= 100.0001


@given(st.floats(0, 500), st.floats(0, 500), st.floats(1, 500), st.floats(1, 500), angles)
def test_turned_boxes_come_back(x: float, y: float, w: float, h: float, turn: float) -> None:
    box = Rectangle(x, y, w, h, turn)
    for again in (Rectangle.from_quad(box.corners()), Rectangle.from_xywhr(box.to_xywhr())):
        assert again.corners() == [pytest.approx(corner, abs=1e-6) for corner in box.corners()]
        assert abs((again.rotation - turn + 180) % 360 - 180) < 1e-6


@given(st.lists(st.tuples(inside, inside), max_size=30), sizes)
def test_polygons_come_back(points: list[tuple[float, float]], size: ImageSize) -> None:
    outline = [(x * size.width, y * size.height) for x, y in points]
    again = Polygon.from_value(Polygon(outline).to_value(size)[0], size)
    assert again.points == [pytest.approx(point, abs=0.002) for point in outline]


def test_a_skeleton_comes_back() -> None:
    joints = Vector(
        [(10, 10), (20, 20), (10, 30)], links=[None, 0, 0], curves={1: ((12, 12), (18, 18))}
    )
    value, _ = joints.to_value(SIZE)
    assert [vertex["prevPointId"] for vertex in value["vertices"]] == [None, "v0", "v0"]
    again = Vector.from_value(value, SIZE)
    assert again.links == [None, 0, 0]
    assert again.to_value(SIZE)[0] == value
