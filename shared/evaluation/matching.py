"""One-to-one matching of predicted regions to true ones, highest score first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def match_by_score(
    similarities: NDArray[np.float64], scores: Sequence[float | None], threshold: float
) -> list[tuple[int, int]]:
    """Return pairs (predicted, true) with a similarity of at least `threshold`.

    `similarities` has shape (predicted, true). As in COCO's evaluation, predictions choose in the
    order of their scores, each the most similar true region that is left (of equal ones the last);
    without scores in their own order.
    """
    order = np.argsort([-(score or 0.0) for score in scores], kind="stable")
    taken = np.zeros(similarities.shape[1], bool)
    pairs = []
    for predicted in order:
        row: NDArray[Any] = np.where(taken, -1.0, similarities[predicted])
        if not row.size:
            break
        best = int(row.size - 1 - np.argmax(row[::-1]))
        if row[best] >= threshold:
            taken[best] = True
            pairs.append((int(predicted), best))
    return pairs
