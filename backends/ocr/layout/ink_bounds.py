"""Where ink is on the pixels of a line, and where only paper."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backends.ocr.layout.quad import Pixels

Mask = NDArray[np.uint8]
# Paper left around the ink, as a part of the line's height.
PAPER_MARGIN = 0.06
# What each side of a line is trimmed by at most, as a part of its height.
MAX_TRIM = 0.35
# A spot smaller than the line's height divided by this, in both directions, is noise.
SPECK_DIVISOR = 16
# The same for tiny lines, in pixels of area.
MIN_INK_AREA_PIXELS = 4.0


def ink_mask(line: Pixels) -> Mask:
    """Return 1 where there is ink, shape (height, width), for BGR pixels."""
    gray = cv2.GaussianBlur(cv2.cvtColor(line, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    _, bright = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Text covers less than half of its line; so light text on dark ground is found as well.
    return np.asarray(bright if bright.mean() < 0.5 else 1 - bright, dtype=np.uint8)


def ink_bounds(line: Pixels) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the ink with a margin, as parts of the line's size.

    Where ink touches an edge nothing is trimmed: it may continue beyond.
    """
    height, width = line.shape[:2]
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink_mask(line), connectivity=8)
    min_area = max(MIN_INK_AREA_PIXELS, (height / SPECK_DIVISOR) ** 2)
    inked = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= min_area]
    if count < 2 or not len(inked):
        return 0.0, 0.0, 1.0, 1.0
    left, top = inked[:, 0].min(), inked[:, 1].min()
    right, bottom = (inked[:, :2] + inked[:, 2:4]).max(axis=0)
    margin, max_trim = PAPER_MARGIN * height + 1, MAX_TRIM * height
    return (
        _limit_trim(left - margin, max_trim) / width,
        _limit_trim(top - margin, max_trim) / height,
        1 - _limit_trim(width - right - margin, max_trim) / width,
        1 - _limit_trim(height - bottom - margin, max_trim) / height,
    )


def _limit_trim(paper: Any, max_trim: float) -> float:
    return float(min(max(paper, 0.0), max_trim))
