"""An image of any shape fits into the square of a network."""

import numpy as np
import pytest

from backends.segment.models.frames import (
    Frame,
    GreyPaddedFrame,
    Normalization,
    PaddedFrame,
    StretchedFrame,
)
from shared.results import ImageSize

SIDE = 64
FRAMES = [kind(SIDE, Normalization()) for kind in (GreyPaddedFrame, PaddedFrame, StretchedFrame)]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 1000)], ids=str)
def test_thin_images(frame: Frame, size: tuple[int, int]) -> None:
    width, height = size
    assert frame.prepare(np.zeros((height, width, 3), np.uint8)).shape == (1, 3, SIDE, SIDE)
    middle = frame.place_points(np.array([[width / 2, height / 2]], np.float32), ImageSize(*size))
    assert ((middle > 0) & (middle <= SIDE)).all()
    logits = frame.restore(np.ones((1, 16, 16), np.float32), ImageSize(*size))
    assert logits.shape == (1, height, width)
    assert (logits > 0).all()
    assert frame.place_mask(np.ones((height, width), np.float32), 16).shape == (16, 16)
