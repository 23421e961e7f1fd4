"""Reading order and blocks."""

import math

import pytest

from backends.ocr.layout.granularity import join_text, split_units
from backends.ocr.layout.page import Line, Page
from backends.ocr.layout.reading_order import sort_lines
from shared.results import ImageSize


def line(text: str, x: float, y: float, width: float = 0, height: float = 20) -> Line:
    right, bottom = x + (width or 10 * len(text)), y + height
    return Line([[x, y], [right, y], [right, bottom], [x, bottom]], text, 0.9)


def turned(lines: list[Line], degrees: float) -> list[Line]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        Line([[x * cos - y * sin, x * sin + y * cos] for x, y in one.corners], one.text, one.score)
        for one in lines
    ]


RECEIPT = [
    line("CORNER MARKET", 100, 0),
    line("Milk", 0, 40),
    line("2.49", 400, 43),
    line("Rye bread", 0, 70),
    line("3.10", 400, 67),
    line("TOTAL", 0, 120),
    line("5.59", 400, 120),
]
COLUMNS = [
    line("A heading across", 0, 0, 620, 40),
    *(line(f"left {n}", 0, 60 + 30 * n, 280) for n in range(4)),
    *(line(f"right {n}", 330, 62 + 30 * n, 290) for n in range(4)),
    line("A footer across the page", 0, 220, 620),
]
THREE = [line(f"{c}{n}", 220 * k, 30 * n, 200) for k, c in enumerate("abc") for n in range(3)]


@pytest.mark.parametrize("degrees", [0, 5, -12, 90, 180, 270, 200])
@pytest.mark.parametrize("page", [RECEIPT, COLUMNS, THREE], ids=["receipt", "two", "three"])
def test_reading_order_on_turned_pages(page: list[Line], degrees: float) -> None:
    shuffled = turned([*page[3:], *page[:3]], degrees)
    assert [one.text for one in sort_lines(shuffled)] == [one.text for one in page]


def test_text_has_one_line_for_each_row() -> None:
    assert join_text(RECEIPT).split("\n") == [
        "CORNER MARKET",
        "Milk 2.49",
        "Rye bread 3.10",
        "TOTAL 5.59",
    ]


def test_blocks_group_lines_that_are_close() -> None:
    page = Page(ImageSize(700, 300), COLUMNS)
    texts = [block.text for block in split_units(page, "block")]
    left = "\n".join(f"left {n}" for n in range(4))
    assert texts == ["A heading across", left, left.replace("left", "right"), COLUMNS[-1].text]


def test_block_turns_with_its_lines() -> None:
    upright = [line("one", 0, 0, 200), line("two", 0, 30, 150)]
    [block] = split_units(Page(ImageSize(400, 400), turned(upright, 90)), "block")
    assert block.text == "one\ntwo"
    expected = [[0, 0], [0, 200], [-50, 200], [-50, 0]]
    for corner, wanted in zip(block.corners, expected, strict=True):
        assert corner == pytest.approx(wanted, abs=1e-6)


def test_a_line_without_words_is_its_own_word() -> None:
    assert [unit.text for unit in split_units(Page(ImageSize(9, 9), RECEIPT[:2]), "word")] == [
        "CORNER MARKET",
        "Milk",
    ]


def test_empty_page() -> None:
    assert sort_lines([]) == []
    assert join_text([]) == ""
    assert split_units(Page(ImageSize(1, 1)), "block") == []
