"""Boxes as vision models write them, in pixels of the original picture."""

from typing import Any

import pytest

from backends.prompt.box_formats import BoxError, describe_box, read_box
from backends.prompt.content import SentPicture
from backends.prompt.content.pictures import align_size
from shared.media.image_size import ImageSize

# A picture of 2000 × 1000 pixels that was sent with a quarter of its sides.
PICTURE = SentPicture(None, ImageSize(500, 250), ImageSize(2000, 1000))


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("xyxy_1000", [100, 200, 300, 600]),
        ("yxyx_1000", [200, 100, 600, 300]),
        ("xyxy_pixels", [50, 50, 150, 150]),
        ("xyxy_1", [0.1, 0.2, 0.3, 0.6]),
    ],
)
def test_the_same_box_in_each_format(kind: Any, written: list[float]) -> None:
    # A tenth to three tenths of 2000, a fifth to three fifths of 1000.
    assert read_box(written, kind, PICTURE) == pytest.approx((200, 200, 600, 600))
    assert describe_box(kind)["minItems"] == describe_box(kind)["maxItems"] == 4


@pytest.mark.parametrize(
    ("written", "box"),
    [
        ([0, 0, 1000, 1000], (0, 0, 2000, 1000)),
        ([-10, 990, 20, 1015], (0, 990, 40, 1000)),
    ],
    ids=["the whole picture", "a little over two edges"],
)
def test_boxes_end_at_the_edges(written: list[int], box: tuple[int, ...]) -> None:
    assert read_box(written, "xyxy_1000", PICTURE) == pytest.approx(box)


@pytest.mark.parametrize(
    ("kind", "written", "words"),
    [
        ("xyxy_1", [100, 200, 300, 600], "outside of the picture by PROMPT_BOX_FORMAT=xyxy_1"),
        ("xyxy_pixels", [0, 0, 800, 100], "outside"),
        ("xyxy_1000", [300, 200, 100, 600], "no area"),
        ("xyxy_1000", [100, 200, 100, 600], "no area"),
        ("xyxy_1000", [1005, 200, 1010, 600], "no area"),
        ("xyxy_1000", [1, 2, 3], "four numbers"),
        ("xyxy_1000", [1, 2, 3, None], "four numbers"),
        ("xyxy_1000", [1, 2, 3, float("nan")], "four numbers"),
        ("xyxy_1000", [1, 2, 3, float("inf")], "four numbers"),
    ],
    ids=[
        "thousandths for parts", "larger than what was sent", "right before left", "no width",
        "beside the edge", "three", "null", "NaN", "infinite",
    ],
)  # fmt: skip
def test_what_is_no_box(kind: Any, written: list[Any], words: str) -> None:
    with pytest.raises(BoxError, match=words):
        read_box(written, kind, PICTURE)


@pytest.mark.parametrize(
    ("size", "aligned"),
    [((1400, 700), (1400, 700)), ((1000, 500), (1008, 504)), ((10, 3), (56, 56))],
    ids=["multiples of 28", "others", "tiny"],
)
def test_pictures_for_boxes_in_pixels(size: tuple[int, int], aligned: tuple[int, int]) -> None:
    assert align_size(ImageSize(*size), 28) == aligned
