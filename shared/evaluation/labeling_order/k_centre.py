"""The greedy k-centre order: each next point is the one farthest from all before it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

# Points that are chosen one by one; the rest follows by its distance to them.
MAX_CENTRES = 10_000
# Known points that are compared at once: bounds the memory.
BLOCK_POINTS = 256


class KCentreOrder(NamedTuple):
    """Places of points in their order, and the distance of each to the nearest point before it.

    The distance of the first is infinite, unless there are known points.
    """

    places: NDArray[np.int64]
    distances: NDArray[np.float32]


def order_by_k_centre(points: Vectors, known: Vectors, count: int) -> KCentreOrder:
    """Order points, shape (n, d), in O(n · count) time and with n further numbers in memory.

    `known` points, shape (m, d), come before all others. Without any the first is the point
    nearest to the mean. Of equally distant points the first comes first. `count` points are chosen,
    at most MAX_CENTRES; the others follow by their distance to these.
    """
    if not len(points):
        return KCentreOrder(np.empty(0, np.int64), np.empty(0, np.float32))
    squares = np.einsum("nd,nd->n", points, points)
    nearest = _nearest_known(points, squares, known)
    first = None if len(known) else int(np.argmin(_distances(points, squares, points.mean(axis=0))))
    chosen = np.zeros(len(points), bool)
    places: list[int] = []
    distances: list[float] = []
    for _ in range(min(count, len(points), MAX_CENTRES)):
        place = int(np.argmax(nearest)) if first is None else first
        first = None
        places.append(place)
        distances.append(float(nearest[place]))
        chosen[place] = True
        np.minimum(nearest, _distances(points, squares, points[place]), out=nearest)
        nearest[chosen] = -1.0
    rest = np.flatnonzero(~chosen)
    rest = rest[np.argsort(-nearest[rest], kind="stable")]
    order = np.concatenate([np.array(places, np.int64), rest])
    squared = np.concatenate([np.array(distances, np.float32), nearest[rest]])
    return KCentreOrder(order, np.sqrt(squared))


def _nearest_known(points: Vectors, squares: Vectors, known: Vectors) -> Vectors:
    """Return the squared distance of each point to the nearest known one, infinite without any."""
    nearest = np.full(len(points), np.inf, np.float32)
    for start in range(0, len(known), BLOCK_POINTS):
        block = known[start : start + BLOCK_POINTS]
        own = np.einsum("nd,nd->n", block, block)
        found = squares[:, None] + own - 2 * (points @ block.T)
        np.minimum(nearest, np.maximum(found, 0).min(axis=1), out=nearest)
    return nearest


def _distances(points: Vectors, squares: Vectors, centre: Vectors) -> Vectors:
    """Return the squared distance of each point to a centre."""
    found: Vectors = squares + centre @ centre - 2 * (points @ centre)
    return np.maximum(found, 0.0)
