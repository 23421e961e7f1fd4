"""The four schemes by which nervaluate compares spans: strict, exact, partial, type only."""

import sys
from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from shared.evaluation.extras import require
from shared.evaluation.metrics.figures import ratio_figures
from shared.evaluation.metrics.labelled_regions import LabelledRegion
from shared.evaluation.metrics.metric import Resampler
from shared.evaluation.problems import ProblemLog
from shared.evaluation.span_overlap import extent_of
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


class SpanSchemes:
    """Adds up nervaluate's counts over cases: each document is evaluated by itself there, too.

    Its algorithm takes predicted spans in their order, and an inexact one may take a true span
    that a later one would hit exactly; spans are given in the order of their offsets.
    """

    def __init__(self) -> None:
        """SettingError if nervaluate is missing."""
        strategies = require("nervaluate.strategies", "evaluate")
        self._entity = require("nervaluate.entities", "evaluate").Entity
        self._strategies = [getattr(strategies, name)() for name in SCHEMES.values()]
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
        self, case: int, truth: Sequence[LabelledRegion], predicted: Sequence[LabelledRegion]
    ) -> None:
        """Compare one case's spans; those of each object tag and item are a document."""
        true_documents, predicted_documents = self._documents(truth), self._documents(predicted)
        for place in dict.fromkeys(chain(true_documents, predicted_documents)):
            self._cases.append(case)
            for strategy in self._strategies:
                result, _ = strategy.evaluate(
                    true_documents.get(place, []), predicted_documents.get(place, []), []
                )
                self._counts.extend(getattr(result, name) for name in COUNTS)

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

    def _documents(self, spans: Sequence[LabelledRegion]) -> dict[Any, list[Any]]:
        """Return the spans of each place as nervaluate's entities, whose ends are inclusive."""
        documents: dict[Any, list[tuple[int, int, str]]] = defaultdict(list)
        for span in spans:
            if not isinstance(span.region.shape, TextSpan | HyperTextSpan | ParagraphSpan):
                continue  # a label without offsets
            start, end = map(int, extent_of(span.region)[:2])
            documents[span.place].append((start, max(end - 1, start), span.label))
        return {
            place: [self._entity(label, start, end) for start, end, label in sorted(found)]
            for place, found in documents.items()
        }


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
