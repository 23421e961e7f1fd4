"""A trained model of whole series: classes, or a rating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.training.features import FeatureSettings
from backends.timeseries.training.sequence_model import check_channels
from backends.timeseries.training.smoothing import fit_sharpness, log_probabilities

STRENGTHS = (1e-3, 1e-2, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class WholeModel:
    """Tells what a whole series is: probabilities of `classes`, or a number where there are none.

    `exclusive`: whether a series is one of them; else each is decided by itself.
    """

    features: FeatureSettings
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    exclusive: bool
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    sharpness: float = 1.0

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each class, or the rating alone."""
        check_channels(values, self.channels)
        scores = pool_features(self.features, values) @ self.weights + self.offset
        if not self.classes:
            return np.asarray(scores)
        if self.exclusive:
            return np.asarray(np.exp(log_probabilities(scores[None], self.sharpness)[0]))
        return np.asarray(1 / (1 + np.exp(-scores * self.sharpness)))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the numbers of the model, for a file of weights."""
        weights = self.weights.astype(np.float32)
        return {**self.features.to_arrays(), "weights": weights, "offset": self.offset}

    def to_json(self) -> dict[str, Any]:
        """Return what else the model is."""
        return {
            "kind": "whole",
            "classes": list(self.classes),
            "channels": list(self.channels),
            "exclusive": self.exclusive,
            "sharpness": self.sharpness,
        }

    @classmethod
    def from_files(
        cls, arrays: Mapping[str, NDArray[Any]], written: Mapping[str, Any]
    ) -> "WholeModel":
        """Read what `to_arrays` and `to_json` made."""
        return cls(
            FeatureSettings.from_arrays(arrays),
            tuple(written["classes"]),
            tuple(written["channels"]),
            bool(written["exclusive"]),
            arrays["weights"].astype(np.float64),
            arrays["offset"],
            float(written["sharpness"]),
        )


def pool_features(settings: FeatureSettings, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean and the highest value of each feature over a series, shape (2 * count,)."""
    total, highest, count = np.zeros(settings.count), np.full(settings.count, -np.inf), 0
    for rows, features in settings.extract(values):
        total += features.sum(axis=0, dtype=np.float64)
        highest = np.maximum(highest, features.max(axis=0))
        count += len(rows)
    return np.concatenate([total / count, highest])


@dataclass(frozen=True)
class WholeFit:
    """A head that was fitted: `loss` is that of series which it was not fitted to."""

    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    left_out: NDArray[np.float64]
    loss: float


def fit_head(pooled: NDArray[np.float64], targets: NDArray[np.float64]) -> WholeFit:
    """Fit a ridge regression; each series left out once tells which strength is best."""
    mean, target_mean = pooled.mean(axis=0), targets.mean(axis=0)
    spread = pooled.std(axis=0)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    scaled = (pooled - mean) * scale / np.sqrt(pooled.shape[1])
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    centred = targets - target_mean
    fits = []
    for strength in STRENGTHS:
        inverse = vectors / (np.maximum(values, 0) + strength) @ vectors.T
        dual = inverse @ centred
        left_out = targets - dual / np.diag(inverse)[:, None]
        weights = (scaled.T @ dual) * scale[:, None] / np.sqrt(pooled.shape[1])
        loss = float(np.mean((left_out - targets) ** 2))
        fits.append(WholeFit(weights, target_mean - mean @ weights, left_out, loss))
    return min(fits, key=lambda one: one.loss)


def class_sharpness(left_out: NDArray[np.float64], truth: Sequence[int]) -> float:
    """Return how sharply scores tell classes, by those of series that were left out."""
    return fit_sharpness(left_out, np.asarray(truth))[0]
