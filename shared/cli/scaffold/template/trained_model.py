"""What $name learns from annotations."""

import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.backend import Image, Passages

LEARNING_RATE = 10.0
FEATURE_COUNT__image = 4 * 4 * 3
FEATURE_COUNT__text = 1024


class TrainedModel:
    """A linear classifier: `weights` of shape (features, labels)."""

    file = "model.npz"

    def __init__(self, labels: list[str], weights: NDArray[np.float64]) -> None:
        self.labels, self.weights = labels, weights

    @classmethod
    def untrained(cls, labels: list[str]) -> "TrainedModel":
        """Return a model to which all labels are equally likely."""
        return cls(labels, np.zeros((FEATURE_COUNT__image, len(labels))))

    @classmethod
    def load(cls, folder: Path) -> "TrainedModel":
        """Read what `save` wrote: plain arrays, never pickled objects."""
        with np.load(folder / cls.file, allow_pickle=False) as arrays:
            return cls(arrays["labels"].tolist(), arrays["weights"])

    def save(self, folder: Path) -> None:
        """Write the weights."""
        np.savez(folder / self.file, labels=np.array(self.labels), weights=self.weights)

    def learn(self, items: list[Any], labels: list[str]) -> float:
        """Take a step towards the labels of these examples; return the loss before it."""
        features, scores = self._score(items)
        places = np.arange(len(labels)), [self.labels.index(label) for label in labels]
        loss = -np.log(np.maximum(scores[places], 1e-12)).mean()
        scores[places] -= 1
        self.weights -= LEARNING_RATE * features.T @ scores / len(labels)
        return float(loss)

    def predict__choices(self, items: list[Any]) -> list[dict[str, float]]:
        """Return the score of each label, for each item."""
        _, scores = self._score(items)
        return [dict(zip(self.labels, row, strict=True)) for row in scores.tolist()]

    def _score(self, items: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the features (items, features) and the scores (items, labels)."""
        features = np.stack([describe__image(item) for item in items])
        scores = np.exp(features @ self.weights)
        return features, scores / scores.sum(axis=1, keepdims=True)


def describe__image(image: Image) -> NDArray[np.float64]:
    """Return what an image looks like from afar, its colours in 4 x 4 fields, of length 1."""
    small = cv2.resize(image.pixels, (4, 4), interpolation=cv2.INTER_AREA).ravel().astype(float)
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-12))


def describe__text(text: Passages) -> NDArray[np.float64]:
    """Return which words occur in a text, of length 1; words share the places."""
    found = np.zeros(FEATURE_COUNT__text)
    for word in text.text.lower().split():
        found[zlib.crc32(word.encode()) % len(found)] = 1
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12))
