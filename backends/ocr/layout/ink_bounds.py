"""What is printed on a line's pixels, apart from its paper."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backends.ocr.layout.quad import Pixels

Mask = NDArray[np.uint8]
# Paper that is kept around what is printed, in heights of the line.
MARGIN = 0.06
# The part of its height, and as much at its ends, by which a line is made smaller at the most.
MOST = 0.35
# So many times smaller than the line's height is what counts as noise.
SPECK = 16


def mask(cut: Pixels) -> Mask:
    """1 where there is ink, shape (height, width), of BGR pixels."""
    gray = cv2.GaussianBlur(cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    _, dark = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(dark if dark.mean() < 0.5 else 1 - dark, dtype=np.uint8)


def bounds(cut: Pixels) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of the ink with a margin, as parts of the line's pixels.

    What touches an edge may go on beyond it: nothing is taken away there.
    """
    height, width = cut.shape[:2]
    count, _, found, _ = cv2.connectedComponentsWithStats(mask(cut), connectivity=8)
    inked = found[1:][found[1:, cv2.CC_STAT_AREA] >= max(4.0, (height / SPECK) ** 2)]
    if count < 2 or not len(inked):
        return 0.0, 0.0, 1.0, 1.0
    left, top = inked[:, 0].min(), inked[:, 1].min()
    right, bottom = (inked[:, :2] + inked[:, 2:4]).max(axis=0)
    margin, most = MARGIN * height + 1, MOST * height
    return (
        _inside(left - margin, most) / width,
        _inside(top - margin, most) / height,
        1 - _inside(width - right - margin, most) / width,
        1 - _inside(height - bottom - margin, most) / height,
    )


def _inside(paper: Any, most: float) -> float:
    return float(min(max(paper, 0.0), most))
