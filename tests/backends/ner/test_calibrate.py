"""The starter's temperature changes scores, but no entity."""

import numpy as np
import pytest

from backends.ner.starter.calibrate import cooled, fitted_temperature, log_loss
from backends.ner.token_classifier import TokenClassifier

from .conftest import STARTER
from .handwritten import read_sentences


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_flattens_or_sharpens(classifier: TokenClassifier, temperature: float) -> None:
    [read] = classifier.classify_tokens(
        ["Angela Berg met Thomas Hill of Northwind Systems in Lisbon."]
    )
    other = cooled(read, temperature)
    assert np.allclose(other.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (other.probabilities.argmax(axis=1) == read.probabilities.argmax(axis=1)).all()
    change = other.probabilities.max(axis=1) - read.probabilities.max(axis=1)
    assert (np.sign(np.round(change, 6)) == np.sign(1 - temperature)).all()


@pytest.mark.parametrize(
    ("scored", "loss"),
    [
        pytest.param([(0.5, True), (0.5, False)], np.log(2), id="knows nothing"),
        pytest.param([(1.0, True), (0.0, False)], 0, id="knows all"),
        pytest.param([], 0, id="nothing given"),
    ],
)
def test_log_loss(scored: list[tuple[float, bool]], loss: float) -> None:
    assert log_loss(scored) == pytest.approx(loss, abs=1e-9)


def test_committed_weights_are_calibrated() -> None:
    """Half precision changes the temperature by less than a step."""
    assert fitted_temperature(STARTER, read_sentences("development")) == pytest.approx(1, abs=0.06)
