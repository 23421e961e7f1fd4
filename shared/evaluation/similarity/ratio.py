"""Overlap as a part of the union."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def overlap_ratio(overlap: Floats, union: Floats) -> Floats:
    """Return the IoU of areas that overlap; 0 where neither has an area."""
    found: Floats = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return found
