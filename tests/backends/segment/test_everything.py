"""All objects of an image: their masks in little memory."""

import numpy as np
import pytest

from backends.segment.everything import PackedMask
from backends.segment.models.promptable_model import MaskPrediction
from backends.segment.prompts import BinaryMask
from shared.results import ImageSize

SIZE = ImageSize(37, 23)


def packed(mask: BinaryMask) -> PackedMask:
    return PackedMask.pack(MaskPrediction(mask, np.zeros((1, 1), np.float32), 0.5))


def random_mask(seed: int) -> BinaryMask:
    """Pixels of a random part of an image whose width is no multiple of eight."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIZE.height, SIZE.width), bool)
    (top, bottom), (left, right) = (np.sort(rng.choice(side + 1, 2, False)) for side in mask.shape)
    mask[top:bottom, left:right] = rng.random((bottom - top, right - left)) < 0.7
    mask[top, left] = True
    return mask


@pytest.mark.parametrize("seed", range(20))
def test_a_packed_mask_is_the_same(seed: int) -> None:
    one, other = random_mask(seed), random_mask(seed + 100)
    assert (packed(one).unpack(SIZE) == one).all()
    assert packed(one).area == one.sum()
    overlap = (one & other).sum() / (one | other).sum()
    assert packed(one).overlap(packed(other)) == pytest.approx(overlap)
    assert packed(other).overlap(packed(one)) == pytest.approx(overlap)


def test_a_packed_mask_takes_a_bit_for_a_pixel_around_it() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[100:180, 1003:1100] = True
    assert packed(mask).bits.nbytes == 80 * 13
