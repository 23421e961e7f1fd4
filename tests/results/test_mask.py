"""Masks to RLE, PNG and polygons."""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from label_studio_sdk.converter import brush
from numpy.typing import NDArray

from shared.results import Bitmask, Brush, ImageSize, mask_to_polygons, rle

Mask = NDArray[np.uint8]

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20))


def drawn(width: int = 1920, height: int = 1080) -> Mask:
    """A ring, a bar and a slanted ellipse."""
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 2, height // 2), height // 3, 255, -1)
    cv2.circle(mask, (width // 2, height // 2), height // 9, 0, -1)
    mask[10:40, 10:300] = 255
    cv2.ellipse(mask, (width * 5 // 6, height // 4), (180, 60), 30, 0, 360, 255, -1)
    return mask


def filled(found: list[Any], mask: Mask, colour: int = 255) -> Mask:
    """The polygons painted on an image four times as large, so that edges count for little."""
    out = np.zeros((mask.shape[0] * 4, mask.shape[1] * 4), np.uint8)
    for polygon in found:
        points = np.array([polygon.points], np.float64) * 4 - 0.5
        cv2.fillPoly(out, np.round(points).astype(np.int32), colour)
    return out


def overlap(found: list[Any], mask: Mask) -> float:
    """Intersection over union."""
    wanted = np.kron(mask > 0, np.ones((4, 4), bool))
    got = filled(found, mask) > 0
    return float((wanted & got).sum() / (wanted | got).sum())


@given(masks)
def test_the_rle_is_the_sdks_own(mask: NDArray[np.bool_]) -> None:
    found = rle.encode(mask)
    assert found == brush.mask2rle(mask.astype(np.uint8) * 255)
    again = brush.decode_rle(found).reshape(*mask.shape, 4)
    assert (again == mask[..., None] * np.uint8(255)).all()
    assert (rle.decode(found, *mask.shape) == mask * np.uint8(255)).all()
    assert rle.peak_value(bytes(found)) == (255 if mask.any() else 0)


def test_single_values_are_read_as_the_editor_writes_them() -> None:
    """Its encoder writes unlike values without runs: 0, which size, how many, the values."""
    bits = f"{4:032b}" + "00111" + "0010001101111111" + "0" + "00" + "011"
    bits += "".join(f"{value:08b}" for value in (17, 34, 51, 255)) + "0000000"
    data = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]
    assert (brush.decode_rle(data) == [17, 34, 51, 255]).all()
    assert (rle.decode(data, 1, 1) == [[255]]).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2, 300], "whole numbers from 0 to 255"),
        ([0, 0, 0, 16], "ends before"),
        ([0, 0, 0, 8], "a mask of 2 pixels, expected 2 × 2"),
        ([], "a mask of 0 pixels"),
    ],
)
def test_what_is_no_rle_says_so(data: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle.decode(data, 2, 2)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("shape", [Brush, Bitmask])
def test_masks_of_any_kind_come_back(shape: Any, kind: Any) -> None:
    mask = drawn(320, 200)
    size = ImageSize(320, 200)
    value, beside = shape((mask > 0).astype(kind)).to_value(size)
    assert beside["original_width"] == 320
    assert (shape.from_value(value, size).mask == mask).all()


@pytest.mark.parametrize("mask", [np.zeros((0, 0)), np.zeros((3, 3)), np.zeros((0, 7))])
def test_empty_masks_never_raise(mask: Mask) -> None:
    size = ImageSize(3, 3)
    Brush(mask).to_value(size)
    Bitmask(mask).to_value(size)
    assert mask_to_polygons(mask) == []


def test_a_box_becomes_its_edges() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[3:10, 5:12] = 1
    [polygon] = mask_to_polygons(mask)
    assert sorted(map(tuple, polygon.points)) == [(5, 3), (5, 10), (12, 3), (12, 10)]


def test_each_part_is_a_polygon_the_largest_first() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[2:8, 2:8] = mask[20:50, 20:50] = 1
    mask[55, 55] = 1
    big, small = mask_to_polygons(mask)
    assert len(big.points) == len(small.points) == 4
    assert min(big.points)[0] == 20
    assert [len(p.points) for p in mask_to_polygons(mask, min_area=0)] == [4, 4, 4]


def test_holes_are_filled_or_cut() -> None:
    mask = drawn(600, 400)
    solid = mask.copy()
    cv2.circle(solid, (300, 200), 50, 255, -1)
    assert overlap(mask_to_polygons(mask), solid) > 0.98
    assert overlap(mask_to_polygons(mask, holes="cut"), mask) > 0.98
    assert len(mask_to_polygons(mask, holes="cut")) == len(mask_to_polygons(mask)) == 3


@pytest.mark.parametrize("most", [4, 10, 50])
@pytest.mark.parametrize("holes", ["fill", "cut"])
def test_points_are_capped(most: int, holes: Any) -> None:
    noisy = cv2.GaussianBlur(np.random.default_rng(0).random((300, 400)), (0, 0), 5) > 0.5
    found = mask_to_polygons(noisy, max_points=most, holes=holes)
    assert found
    assert max(len(polygon.points) for polygon in found) <= most


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 3.0])
def test_no_point_of_the_outline_is_further_than_the_tolerance(tolerance: float) -> None:
    mask = np.zeros((200, 300), np.uint8)
    cv2.ellipse(mask, (150, 100), (120, 70), 20, 0, 360, 255, -1)
    [exact] = mask_to_polygons(mask, tolerance=0, max_points=10_000)
    [simple] = mask_to_polygons(mask, tolerance=tolerance, max_points=10_000)
    ring = np.array(simple.points, np.float32).reshape(-1, 1, 2)
    apart = [abs(cv2.pointPolygonTest(ring, (x, y), True)) for x, y in exact.points]
    assert max(apart) <= tolerance + 1e-4
    assert tolerance == 0 or len(simple.points) < len(exact.points) / 2


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(bool, (12, 12)), st.floats(0, 4), st.integers(3, 30))
def test_any_mask_becomes_sound_polygons(
    mask: NDArray[np.bool_], tolerance: float, most: int
) -> None:
    for holes in ("fill", "cut"):
        for polygon in mask_to_polygons(mask, tolerance, most, holes, min_area=0):  # type: ignore[arg-type]
            assert 3 <= len(polygon.points) <= max(most, 4)
            points = np.array(polygon.points)
            assert (points >= 0).all()
            assert (points <= 12).all()


def best(work: Callable[[], object]) -> float:
    """The least of some runs, in seconds: other programs only add to it."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_full_hd_mask_is_fast() -> None:
    mask = drawn()
    assert best(lambda: rle.encode(mask)) <= best(lambda: brush.mask2rle(mask))
    assert best(lambda: mask_to_polygons(mask)) < 0.010
