"""Fits a linear head on a frozen encoder: seconds, and enough for few examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._transformers.calibration import log_loss
from shared.backend.extras import require

# What a head reads, and the inverse strength of the regularization: what is tried. The pieces alone
# are better where the encoder has seen nothing like the texts.
HIDDEN, BOTH, PIECES = "hidden", "both", "pieces"
CANDIDATES = [
    (reads, one) for reads in (HIDDEN, BOTH, PIECES) for one in (1.0, 10.0, 100.0, 1000.0)
]
FOLDS = 5
# The logit of a class that no text has, against others.
NEVER = -20.0

Features = NDArray[np.float32]
# The class of each text, shape (texts,); or 1 and 0 for each class, shape (texts, classes).
Truth = NDArray[np.int64]


class LinearHead(NamedTuple):
    """The `weights` of features and the `bias`, shapes (classes, features) and (classes,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, features: Features) -> NDArray[Any]:
        """Return the logits of texts, shape (texts, classes)."""
        return features @ self.weights.T + self.bias


class TextFeatures(NamedTuple):
    """What a head reads of texts: the mean hidden state, and the share of each piece.

    Shapes (texts, hidden) and (texts, pieces).
    """

    hidden: Features
    pieces: Features

    def take(self, places: Any) -> "TextFeatures":
        """Return the features of some of the texts."""
        return TextFeatures(self.hidden[places], self.pieces[places])


@dataclass(frozen=True)
class FeatureScale:
    """Brings both kinds of features to one size, by what the texts to fit to are like.

    `pieces` is None for a head that reads the hidden state alone.
    """

    mean: Features
    hidden: Features
    pieces: Features | None

    @classmethod
    def of(cls, features: TextFeatures, reads: str) -> "FeatureScale":
        """Measure the scale of texts; hidden states that are not read get a scale of 0."""
        count, width = features.hidden.shape
        mean = features.hidden.mean(axis=0)
        hidden = 1 / ((features.hidden.std(axis=0) + 1e-6) * width**0.5)
        if reads == PIECES:
            hidden = np.zeros_like(hidden)
        if reads == HIDDEN:
            return cls(mean, hidden, None)
        seen = (features.pieces > 0).sum(axis=0)
        # Rare pieces count more (tf-idf); those that were never seen do not.
        rarity = np.where(seen > 0, np.log((1 + count) / (1 + seen)) + 1, 0)
        weighed = features.pieces * rarity
        spread = ((weighed - weighed.mean(axis=0)) ** 2).sum(axis=1).mean() ** 0.5
        return cls(mean, hidden, rarity / max(spread, 1e-6))

    def apply(self, features: TextFeatures) -> Features:
        """Return the features as one array."""
        hidden = (features.hidden - self.mean) * self.hidden
        if self.pieces is None:
            return hidden
        return np.concatenate([hidden, features.pieces * self.pieces], axis=1)

    def restore(self, head: LinearHead) -> tuple[LinearHead, Features | None]:
        """Return the head for hidden states as they are, and what each piece adds to the logits."""
        width = len(self.mean)
        weights = head.weights[:, :width] * self.hidden
        plain = LinearHead(weights, head.bias - weights @ self.mean)
        if self.pieces is None:
            return plain, None
        return plain, (head.weights[:, width:] * self.pieces).T.astype(np.float32)


@dataclass(frozen=True)
class HeadFitter:
    """Fits heads to texts: what they read and how much they are regularized is tried out.

    `classes` is how many there are, with those that no text has.
    """

    features: TextFeatures
    truth: Truth
    classes: int
    seed: int

    def fit(self) -> tuple[LinearHead, Features | None]:
        """Return the head for hidden states, and what each piece adds, shape (pieces, classes).

        The latter is None if texts that a head was not fitted to are read better without pieces.
        """
        require("sklearn", "train")
        losses = [self._cross_validate(*candidate) for candidate in CANDIDATES]
        reads, strength = CANDIDATES[int(np.argmin(losses))]
        scale = FeatureScale.of(self.features, reads)
        return scale.restore(self._fit(scale.apply(self.features), self.truth, strength))

    def _cross_validate(self, reads: str, strength: float) -> float:
        """Return the mean log loss of texts that a head was not fitted to."""
        losses = []
        for train, rest in self._folds():
            features, others = self.features.take(train), self.features.take(rest)
            scale = FeatureScale.of(features, reads)
            head = self._fit(scale.apply(features), self.truth[train], strength)
            losses.append(log_loss(head.logits(scale.apply(others)), self.truth[rest]))
        return float(np.mean(losses))

    def _folds(self) -> Iterator[tuple[Any, Any]]:
        """Yield places to fit to and places to judge by, each class spread over all folds."""
        order = np.random.default_rng(self.seed).permutation(len(self.truth))
        if self.truth.ndim == 1:
            order = order[np.argsort(self.truth[order], kind="stable")]
        folds = min(FOLDS, len(order))
        fold_of = np.empty(len(order), np.int64)
        fold_of[order] = np.arange(len(order)) % folds
        for fold in range(folds):
            yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)

    def _fit(self, features: Features, truth: Truth, strength: float) -> LinearHead:
        if truth.ndim == 1:
            return _fit_classes(features, truth, self.classes, strength)
        heads = [_fit_classes(features, column, 2, strength) for column in truth.T]
        # Of two classes, yes and no, the difference is the logit of yes.
        return LinearHead(
            np.stack([weights[1] - weights[0] for weights, _ in heads]),
            np.array([bias[1] - bias[0] for _, bias in heads]),
        )


def _fit_classes(features: Features, truth: Truth, classes: int, strength: float) -> LinearHead:
    """Fit the logits of classes that exclude each other."""
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((classes, features.shape[1])), np.full(classes, NEVER)
    present = np.unique(truth)
    if len(present) == 1:
        bias[present] = -NEVER
        return LinearHead(weights, bias)
    fitted = LogisticRegression(C=strength, tol=1e-3, max_iter=2000).fit(features, truth)
    if len(present) == 2:  # scikit-learn gives the logit of the second against the first
        weights[present] = np.concatenate([-fitted.coef_ / 2, fitted.coef_ / 2])
        bias[present] = np.concatenate([-fitted.intercept_ / 2, fitted.intercept_ / 2])
    else:
        weights[present], bias[present] = fitted.coef_, fitted.intercept_
    return LinearHead(weights, bias)
