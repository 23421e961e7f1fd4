"""The four schemes by which nervaluate compares spans: strict, exact, partial, type only."""

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from shared.backend.extras import require
from shared.evaluation.metrics.figures import ratio_figures
from shared.evaluation.metrics.labelled_regions import LabelledRegion
from shared.evaluation.metrics.metric import Resampler
from shared.evaluation.problems import ProblemLog
from shared.evaluation.similarity.spans import extent_of
from shared.results import HyperTextSpan, ParagraphSpan, TextSpan

# nervaluate's names of the schemes (https://github.com/MantisAI/nervaluate), and of its classes.
SCHEMES = {
    "strict": "StrictEvaluation",
    "exact": "ExactEvaluation",
    "partial": "PartialEvaluation",
    "ent_type": "EntityTypeEvaluation",
}
COUNTS = ("correct", "incorrect", "partial", "missed", "spurious")
# The first Python of nervaluate.
MIN_PYTHON = (3, 11)
# Most clusters of overlapping spans are a true one and an equal predicted one.
CACHED_CLUSTERS = 10_000


class Entity(NamedTuple):
    """A span of characters, both ends included, as nervaluate counts them."""

    start: int
    end: int
    label: str


# What overlaps in a document: true and predicted spans.
Cluster: TypeAlias = tuple[tuple[Entity, ...], tuple[Entity, ...]]


class SpanSchemes:
    """Adds up nervaluate's counts: it, too, evaluates each document by itself.

    Its algorithm takes predicted spans in their order, and an inexact one may take a true span
    that a later one would hit exactly; spans are given in the order of their offsets. As spans
    that do not overlap have nothing to do with each other, only those that do are given to it
    together: its time grows with the square of their number.
    """

    def __init__(self) -> None:
        """SettingError if nervaluate is missing."""
        strategies = require("nervaluate.strategies", "evaluate")
        self._entity = require("nervaluate.entities", "evaluate").Entity
        self._strategies = [getattr(strategies, name)() for name in SCHEMES.values()]
        self._evaluate_once = lru_cache(CACHED_CLUSTERS)(self._evaluate)
        self._cases = array("q")
        self._counts = array("i")

    @classmethod
    def load(cls, problems: ProblemLog | None) -> "SpanSchemes | None":
        """Return the schemes; None, and a problem, on a Python that nervaluate does not have."""
        if sys.version_info >= MIN_PYTHON:
            return cls()
        if problems is not None:
            problems.add(
                "spans are compared exactly, but not by nervaluate's schemes, which need"
                f" Python {MIN_PYTHON[0]}.{MIN_PYTHON[1]} (this is {sys.version.split()[0]})"
            )
        return None

    def add(
        self, case: int, truth: Iterable[LabelledRegion], predicted: Iterable[LabelledRegion]
    ) -> None:
        """Compare one case's spans; those of each object tag and item are a document."""
        true_documents, predicted_documents = _documents(truth), _documents(predicted)
        for place in dict.fromkeys(chain(true_documents, predicted_documents)):
            clusters = split_clusters(true_documents[place], predicted_documents[place])
            counts = [self._evaluate_once(cluster) for cluster in clusters]
            self._cases.append(case)
            self._counts.extend(map(sum, zip(*counts, strict=True)))

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures of each scheme under `schemes`; nothing without spans."""
        cases = np.array(self._cases, np.int64)
        if not len(cases):
            return {}
        counts = np.array(self._counts, np.float64).reshape(len(cases), len(SCHEMES), len(COUNTS))
        return {
            "schemes": {
                scheme: _scheme_figures(cases, counts[:, number], resampler)
                for number, scheme in enumerate(SCHEMES)
            }
        }

    def _evaluate(self, cluster: Cluster) -> tuple[int, ...]:
        """Return nervaluate's COUNTS of spans by each scheme."""
        truth, predicted = (
            [self._entity(one.label, one.start, one.end) for one in side] for side in cluster
        )
        results = (one.evaluate(truth, predicted, [])[0] for one in self._strategies)
        return tuple(getattr(result, name) for result in results for name in COUNTS)


def split_clusters(truth: Iterable[Entity], predicted: Iterable[Entity]) -> list[Cluster]:
    """Return the spans of a document, those that overlap together, in the order of their offsets.

    The offsets of each cluster count from its start, so that equal ones are equal.
    """
    clusters: list[tuple[list[Entity], list[Entity]]] = []
    first = last = 0
    for entity, side in sorted([*((one, 0) for one in truth), *((one, 1) for one in predicted)]):
        if not clusters or entity.start > last:
            clusters.append(([], []))
            first, last = entity.start, entity.end
        shifted = Entity(entity.start - first, entity.end - first, entity.label)
        clusters[-1][side].append(shifted)
        last = max(last, entity.end)
    return [(tuple(true_side), tuple(predicted_side)) for true_side, predicted_side in clusters]


def _documents(spans: Iterable[LabelledRegion]) -> defaultdict[Any, list[Entity]]:
    """Return the spans of each place; those without a length are a character long."""
    documents: defaultdict[Any, list[Entity]] = defaultdict(list)
    for span in spans:
        if isinstance(span.region.shape, TextSpan | HyperTextSpan | ParagraphSpan):
            start, end = map(int, extent_of(span.region)[:2])
            documents[span.place].append(Entity(start, max(end - 1, start), span.label))
    return documents


def _scheme_figures(cases: Any, counts: Any, resampler: Resampler) -> dict[str, Any]:
    """Return nervaluate's precision, recall and F1; a partial match counts half.

    `counts` has shape (n, len(COUNTS)).
    """
    correct, incorrect, partial, missed, spurious = counts.T
    matched = correct + incorrect + partial
    credit = correct + partial / 2
    actual, possible = matched + spurious, matched + missed
    ratios = {
        "precision": (credit, actual),
        "recall": (credit, possible),
        "f1": (2 * credit, actual + possible),
    }
    sums = dict(zip(COUNTS, map(int, counts.sum(axis=0)), strict=True))
    return sums | ratio_figures(cases, ratios, resampler)
