"""What the starter makes of sentences that no generator made."""

import pytest

from backends.ner.model import TokenClassifier
from backends.ner.starter.names import read_names

from .handwritten import Scored, calibration_error, judge, read_sentences

FEWEST_WITHOUT_ENTITY = 20
"""Of 100 sentences."""


@pytest.mark.parametrize(
    ("scored", "error"),
    [
        pytest.param([], 0.0, id="nothing given"),
        pytest.param([(1.0, True)] * 3, 0.0, id="sure and right"),
        pytest.param([(1.0, False)] * 3, 1.0, id="sure and wrong"),
        pytest.param([(0.75, True)] * 3 + [(0.75, False)], 0.0, id="as often right as it says"),
        pytest.param([(0.5, True), (0.5, False), (0.95, False)], 0.95 / 3, id="one bin of two"),
        pytest.param([(0.59, True), (0.60, False)], (0.41 + 0.60) / 2, id="at a bin's border"),
    ],
)
def test_calibration_error(scored: list[Scored], error: float) -> None:
    assert calibration_error(scored) == pytest.approx(error)


@pytest.mark.parametrize("name", ["development", "held_out"])
def test_the_sentences_are_a_hundred_and_some_have_no_entity(name: str) -> None:
    sentences = read_sentences(name)
    assert len({sentence.text for sentence in sentences}) == 100
    assert sum(not sentence.spans for sentence in sentences) >= FEWEST_WITHOUT_ENTITY
    assert not any("](" in sentence.text for sentence in sentences)


def test_few_of_the_names_are_in_the_training_lists() -> None:
    """Whole names of people, organisations and places; the countries are known to the training."""
    listed = {
        name for (_, split), names in read_names().items() if split == "train" for name in names
    }
    sentences = read_sentences("development") + read_sentences("held_out")
    names = {
        sentence.text[span.start : span.end]
        for sentence in sentences
        for span in sentence.spans
        if span.label in ("PER", "ORG", "LOC")
    }
    assert len(names) > 200
    assert len(names & listed) / len(names) < 0.1


@pytest.mark.parametrize(
    ("names", "least_f1", "most_error"),
    [
        pytest.param(["held_out"], 0.68, 0.28, id="held out"),
        pytest.param(["development", "held_out"], 0.66, 0.29, id="all"),
    ],
)
def test_f1_and_calibration(
    classifier: TokenClassifier, names: list[str], least_f1: float, most_error: float
) -> None:
    quality = judge(classifier, [one for name in names for one in read_sentences(name)])
    assert quality.f1 >= least_f1
    assert quality.calibration_error <= most_error
