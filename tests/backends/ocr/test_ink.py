"""Bounds of the ink on a line, whatever surrounds it."""

import cv2
import numpy as np
import pytest

from backends.ocr.layout.ink_bounds import ink_bounds, ink_mask
from backends.ocr.layout.quad import Pixels, sub_quad

SIZE = (48, 300)
# left, top, right, bottom
INK = (60, 16, 240, 32)


def line(paper: int = 240, ink: int = 20, noise: float = 0) -> Pixels:
    pixels = np.full((*SIZE, 3), paper, float)
    for left in range(INK[0], INK[2], 20):
        pixels[INK[1] : INK[3], left : left + 10] = ink
    pixels[INK[1] : INK[3], INK[2] - 2 : INK[2]] = ink
    pixels += np.random.default_rng(0).normal(0, noise, (*SIZE, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "cut",
    [line(), line(20, 240), line(200, 150), line(noise=25), line(30, 220, noise=20)],
    ids=["dark on light", "light on dark", "faint", "noisy", "noisy on dark"],
)
def test_margin_around_the_ink(cut: Pixels) -> None:
    height, width = SIZE
    found = np.array(ink_bounds(cut)) * (width, height, width, height)
    # 4 pixels of margin; at the ends no more than a third of the height (17 pixels) is taken
    assert found == pytest.approx([17, 12, width - 17, 36], abs=2)
    assert ink_mask(cut)[20, INK[0] + 5] == 1


def test_ink_that_touches_an_edge_is_not_trimmed() -> None:
    cut = line()
    cv2.line(cut, (0, 0), (299, 0), (0, 0, 0), 3)  # the rule of a table
    left, top, right, bottom = ink_bounds(cut)
    assert (left, top, right) == (0, 0, 1)
    assert bottom < 0.8


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_paper_stays_whole(value: int) -> None:
    assert ink_bounds(np.full((*SIZE, 3), value, np.uint8)) == (0, 0, 1, 1)


def test_one_pixel() -> None:
    assert ink_bounds(np.zeros((1, 1, 3), np.uint8)) == (0, 0, 1, 1)


def test_part_of_a_quadrilateral() -> None:
    quad = np.array([[0, 0], [100, 0], [120, 40], [20, 40]], np.float32)
    assert sub_quad(quad, (0, 0, 1, 1)).tolist() == quad.tolist()
    half = sub_quad(quad, (0.5, 0.25, 1, 0.5))
    assert half.tolist() == [[55, 10], [105, 10], [110, 20], [60, 20]]
