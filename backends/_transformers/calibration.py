"""One number that makes the scores of a network what they promise: the temperature."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends._transformers.training_base import last_linear

# Below this many cases the scores stay as they are.
MIN_CASES = 30
# Temperatures that are tried. A network is rarely less sure than right.
TEMPERATURES = np.geomspace(0.5, 5.0, 47)

# shape (cases, classes)
Logits = NDArray[np.float32]


def fit_temperature(logits: Logits, truth: NDArray[Any]) -> float:
    """Return the number that logits are best divided by: at it the log loss is least.

    `truth` is the class of each case, shape (cases,); or 1 and 0 for each class, shape
    (cases, classes), where classes do not exclude each other.
    """
    if len(logits) < MIN_CASES:
        return 1.0
    loss = _loss_of_one if truth.ndim == 1 else _loss_of_several
    losses = [loss(logits / temperature, truth) for temperature in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def divide_logits(network: Any, temperature: float) -> None:
    """Divide what a network gives by a number, in the weights of its last layer."""
    with torch.no_grad():
        for parameter in last_linear(network).parameters():
            parameter /= temperature


def log_loss(logits: Logits, truth: NDArray[Any]) -> float:
    """Return the mean log loss; see `fit_temperature` for the truth."""
    return (_loss_of_one if truth.ndim == 1 else _loss_of_several)(logits, truth)


def _loss_of_one(logits: Logits, truth: NDArray[Any]) -> float:
    top = logits.max(axis=1, keepdims=True)
    totals = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((totals - logits[np.arange(len(truth)), truth]).mean())


def _loss_of_several(logits: Logits, truth: NDArray[Any]) -> float:
    return float((np.logaddexp(0, logits) - logits * truth).mean())
