"""How far the probabilities of a network's copy are from its own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backends._inference.quantization import search_distance
from backends._transformers.runners import Logits, softmax


class ProbabilityComparison:
    """Compares what a network and its copy in int8 say of texts, while layers are left out.

    `allowed` is how far a probability may be off. With `several` a text may have each of the
    classes, and otherwise one of them.
    """

    def __init__(self, allowed: float, several: bool) -> None:
        self._allowed = allowed
        self._several = several

    def read(self, inputs: Sequence[NDArray[np.int64]], outputs: Sequence[Logits]) -> Logits:
        """Return the probabilities of the only row: shape (tokens, labels) or (labels,)."""
        [logits] = outputs[0]
        if not self._several:
            return softmax(logits)
        chances: Logits = 1 / (1 + np.exp(-logits))
        return chances

    def distance(self, expected: Sequence[Logits], found: Sequence[Logits]) -> float:
        """Return 0 where all probabilities are near enough."""
        pairs = zip(expected, found, strict=True)
        parts = [np.abs(one - other).ravel() / self._allowed for one, other in pairs]
        return search_distance(np.concatenate(parts)) if parts else 0.0
