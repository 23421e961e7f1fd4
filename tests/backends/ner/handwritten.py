"""Sentences written by hand with marked entities, and how well a model finds those.

F1 is that of entities whose start, end and type are all right. The calibration error is the
expected calibration error (ECE) of their scores: the entities that the model gives, right or not,
are put into 10 bins of equal width by score; it is the mean over the bins, weighted by their
entities, of the distance between the bin's mean score and the share of its entities that are right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from backends.ner.entities import group_entities
from backends.ner.starter.sentences import Sentence, Span, parse_marked
from backends.ner.token_classifier import TokenClassifier
from backends.ner.word_aggregation import aggregate_words

FOLDER = Path(__file__).with_name("handwritten")
BINS = 10

# The score of an entity that a model gave, and whether it is right.
Scored = tuple[float, bool]


@dataclass(frozen=True)
class Quality:
    """F1 and calibration error; how many entities there are and how many were given."""

    f1: float
    calibration_error: float
    due: int
    given: int


def read_sentences(name: str) -> list[Sentence]:
    """Return the sentences of `development` or `held_out`."""
    lines = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    return [parse_marked(line) for line in lines if not line.startswith("#")]


def judge(
    classifier: TokenClassifier, sentences: Sequence[Sentence], threshold: float = 0.0
) -> Quality:
    """Compare the entities above a score, as the backend finds them, with the marked ones."""
    scored: list[Scored] = []
    for sentence, read in zip(
        sentences,
        classifier.classify_tokens([sentence.text for sentence in sentences]),
        strict=True,
    ):
        for entity in group_entities(aggregate_words(*read, classifier.tags, "first"), read.text):
            right = Span(entity.start, entity.end, entity.type) in sentence.spans
            scored.append((entity.score, right))
    scored = [one for one in scored if one[0] >= threshold]
    due = sum(len(sentence.spans) for sentence in sentences)
    hits = sum(right for _, right in scored)
    return Quality(2 * hits / (due + len(scored)), calibration_error(scored), due, len(scored))


def calibration_error(scored: Iterable[Scored]) -> float:
    """Return the ECE of scores from 0 to 1; 0 if there are none."""
    ordered = sorted(scored)
    bounds = [number / BINS for number in range(BINS)] + [float("inf")]
    total = 0.0
    for low, high in pairwise(bounds):
        part = [one for one in ordered if low <= one[0] < high]
        total += abs(sum(score for score, _ in part) - sum(right for _, right in part))
    return total / len(ordered) if ordered else 0.0
