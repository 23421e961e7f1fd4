"""Sums of many columns over resampled cases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require
from shared.evaluation.metrics.metric import Resampler

# Cases drawn at a time: bounds the memory.
BLOCK_CASES = 1000


def resampled_totals(
    resampler: Resampler, cases: Any, columns: Any, values: Any, width: int
) -> NDArray[np.float64]:
    """Return the sum of each column's values over each resample, shape (resamples, width).

    The entries' `cases`, `columns` (from 0 to below `width`) and `values` have shape (n,). Time
    goes with their number, not with the number of columns.
    """
    used, rows = np.unique(cases, return_inverse=True)
    csr_matrix = require("scipy.sparse", "evaluate").csr_matrix
    table = csr_matrix((np.asarray(values, np.float64), (rows, columns)), (len(used), width))
    totals: NDArray[np.float64] = np.zeros((width, len(resampler.weights(used[:0]))))
    for start in range(0, len(used), BLOCK_CASES):
        weights = resampler.weights(used[start : start + BLOCK_CASES])
        totals += table[start : start + BLOCK_CASES].T @ weights.T.astype(np.float64)
    return totals.T
