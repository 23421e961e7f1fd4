"""Ridge regression: a linear head, fitted in one step from sums over the examples."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class RidgeSums:
    """Collects what a ridge regression needs of examples, however many: a few matrices."""

    def __init__(self, features: int, outputs: int) -> None:
        self.count = 0.0
        self._sum = np.zeros(features)
        self._products = np.zeros((features, features))
        self._target = np.zeros((features, outputs))
        self._target_sum = np.zeros(outputs)

    def add(self, features: NDArray[np.float32], targets: Matrix, weights: Matrix) -> None:
        """Add examples, shape (n, features), with targets (n, outputs) and weights (n,)."""
        plain = features.astype(np.float64)
        weighted = plain * weights[:, None]
        self.count += float(weights.sum())
        self._sum += weighted.sum(axis=0)
        self._products += weighted.T @ plain
        self._target += weighted.T @ targets
        self._target_sum += weights @ targets

    def solve(self, strengths: tuple[float, ...]) -> list[tuple[Matrix, Matrix]]:
        """Return weights (features, outputs) and offsets (outputs,) for strengths of the penalty.

        Features are scaled to the same variance, so that a strength means the same for each.
        """
        mean, target_mean = self._sum / self.count, self._target_sum / self.count
        variance = np.diag(self._products) / self.count - mean**2
        scale = np.where(variance > 1e-8, 1 / np.sqrt(np.maximum(variance, 1e-8)), 0.0)
        centred = self._products / self.count - np.outer(mean, mean)
        target = self._target / self.count - np.outer(mean, target_mean)
        values, vectors = np.linalg.eigh(centred * np.outer(scale, scale))
        rotated = vectors.T @ (target * scale[:, None])
        found = []
        for strength in strengths:
            solved = vectors @ (rotated / (np.maximum(values, 0) + strength)[:, None])
            weights = solved * scale[:, None]
            found.append((weights, target_mean - mean @ weights))
        return found
