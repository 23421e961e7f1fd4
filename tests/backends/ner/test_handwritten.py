"""The starter on sentences that were written by hand."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backends.ner.starter.names import read_names
from backends.ner.starter.sentences import SLOT, Sentence, read_grammar
from backends.ner.token_classifier import TokenClassifier

from .conftest import STARTER
from .handwritten import Scored, calibration_error, judge, read_sentences
from .test_long_texts import found

# Sentences of 100 without an entity, at least.
FEWEST_WITHOUT_ENTITY = 20
BOTH = ["development", "held_out"]
# Words in a row that the grammar and a sentence written by hand may share.
LONGEST_SHARED_WORDS = 4


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return [sentence for name in BOTH for sentence in read_sentences(name)]


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
    marked = read_sentences(name)
    assert len({sentence.text for sentence in marked}) == 100
    assert sum(not sentence.spans for sentence in marked) >= FEWEST_WITHOUT_ENTITY
    assert not any("](" in sentence.text for sentence in marked)


def test_few_of_the_names_are_in_the_training_lists(sentences: list[Sentence]) -> None:
    """Whole names of people, organisations and places; most of those listed are countries."""
    lists = [names for (_, split), names in read_names().items() if split == "train"]
    listed = {name for names in lists for name in names}
    names = {
        sentence.text[span.start : span.end]
        for sentence in sentences
        for span in sentence.spans
        if span.label in ("PER", "ORG", "LOC")
    }
    assert len(names) > 200
    assert len(names & listed) / len(names) < 0.15


def test_no_sentence_is_copied_into_the_grammar(sentences: list[Sentence]) -> None:
    alternatives = [one for rule in read_grammar().values() for one in rule]
    drawn = {run for one in alternatives for part in SLOT.split(one)[::2] for run in runs(part)}
    for sentence in sentences:
        assert not drawn & {run for part in outside(sentence) for run in runs(part)}, sentence.text


def outside(sentence: Sentence) -> Iterator[str]:
    """Yield the parts of a sentence before, between and after its entities."""
    done = 0
    for span in sentence.spans:
        yield sentence.text[done : span.start]
        done = span.end
    yield sentence.text[done:]


def runs(text: str) -> Iterator[Sequence[str]]:
    words = re.findall(r"[\w']+", text.lower())
    for start in range(len(words) - LONGEST_SHARED_WORDS):
        yield tuple(words[start : start + LONGEST_SHARED_WORDS + 1])


def test_person_name_ends_before_of(classifier: TokenClassifier) -> None:
    text = "Angela Berg met Thomas Hill of Northwind Systems in Lisbon on 3 May 2024."
    [entities] = found(classifier, [text])
    assert [(text[e.start : e.end], e.type) for e in entities] == [
        ("Angela Berg", "PER"),
        ("Thomas Hill", "PER"),
        ("Northwind Systems", "ORG"),
        ("Lisbon", "LOC"),
        ("3 May 2024", "DATE"),
    ]


@pytest.mark.parametrize(
    ("row", "names", "threshold", "least_f1", "most_error"),
    [
        pytest.param("held out, 0.5", ["held_out"], 0.5, 0.78, 0.07, id="held out"),
        pytest.param("held out", ["held_out"], 0.0, 0.74, 0.10, id="held out, any score"),
        pytest.param("all 200, 0.5", BOTH, 0.5, 0.765, 0.065, id="all"),
        pytest.param("all 200", BOTH, 0.0, 0.74, 0.08, id="all, any score"),
    ],
)
def test_f1_and_calibration_match_the_readme(
    classifier: TokenClassifier,
    row: str,
    names: list[str],
    threshold: float,
    least_f1: float,
    most_error: float,
) -> None:
    sentences = [sentence for name in names for sentence in read_sentences(name)]
    quality = judge(classifier, sentences, threshold)
    assert quality.f1 >= least_f1
    assert quality.calibration_error <= most_error
    told = f1_and_error(STARTER.parent / "README.md", row)
    assert told == pytest.approx((quality.f1, quality.calibration_error), abs=0.01)


def f1_and_error(readme: Path, row: str) -> tuple[float, float]:
    """Return F1 and ECE in a row of the README's table on sentences written by hand."""
    match = re.search(rf"^\| {row} \| ([\d.]+) \| ([\d.]+) \|", readme.read_text("utf-8"), re.M)
    assert match, f"{readme.name} has no row '{row}'"
    return float(match[1]), float(match[2])
