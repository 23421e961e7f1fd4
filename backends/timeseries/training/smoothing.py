"""Smooths a sequence of class probabilities, so that spans are no dust: Viterbi's algorithm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Log = NDArray[np.float64]


def most_likely_path(emissions: Log, transitions: Log) -> NDArray[np.int64]:
    """Return the class of each step, shape (steps,), that make the likeliest path together.

    `emissions` are logarithms of shape (steps, classes), `transitions` of (from, to).
    """
    steps, classes = emissions.shape
    back = np.empty((steps, classes), np.int16)
    best = emissions[0].copy()
    numbers = np.arange(classes)
    for step in range(1, steps):
        ways = best[:, None] + transitions
        origin = ways.argmax(axis=0)
        back[step] = origin
        best = ways[origin, numbers] + emissions[step]
    path = np.empty(steps, np.int64)
    path[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


def learn_transitions(sequences: Sequence[NDArray[np.int64]], classes: int) -> Log:
    """Return the logarithms of how often a class follows another, from true sequences."""
    counts = np.full((classes, classes), 0.1)
    for sequence in sequences:
        np.add.at(counts, (sequence[:-1], sequence[1:]), 1)
    found: Log = np.log(counts / counts.sum(axis=1, keepdims=True))
    return found


def log_probabilities(scores: NDArray[np.float64], sharpness: float) -> Log:
    """Return the logarithms of the probabilities for scores, shape (steps, classes)."""
    sharp = scores * sharpness
    sharp = sharp - sharp.max(axis=1, keepdims=True)
    found: Log = sharp - np.log(np.exp(sharp).sum(axis=1, keepdims=True))
    return found


def fit_sharpness(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Return the sharpness under which true classes are likeliest, and the mean loss then."""
    losses = {}
    for sharpness in np.geomspace(0.5, 50, 25).tolist():
        chosen = log_probabilities(scores, sharpness)[np.arange(len(truth)), truth]
        losses[sharpness] = -float(chosen.mean())
    best = min(losses, key=lambda one: losses[one])
    return best, losses[best]
