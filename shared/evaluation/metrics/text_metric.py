"""Texts that annotators write: error rates by characters and by words."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from shared.backend.extras import require
from shared.evaluation.metrics.figures import count_distinct, ratio_figures
from shared.evaluation.metrics.labelled_regions import control_value
from shared.evaluation.metrics.metric import Match, Outcome, Resampler, ScoredPredictions
from shared.evaluation.metrics.paired_values import pair_values
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

# Longer texts are not aligned: the time grows with the product of both lengths.
MAX_ALIGNED_CHARACTERS = 50_000


class Edits(NamedTuple):
    """Characters and words to insert, delete or replace, and those of the true text."""

    characters: int
    true_characters: int
    words: int
    true_words: int


class TextMetric:
    """Character and word error rate (CER, WER) as jiwer defines them, over all texts together.

    Several texts of one place are compared in their order. A text that the prediction lacks
    counts as deletions, one that the truth lacks as insertions, so that a rate may exceed 1.
    A task's score is 1 - CER, at least 0.
    """

    def __init__(self, control: Control, problems: ProblemLog | None = None) -> None:
        """SettingError if jiwer is missing."""
        self._control = control
        self._problems = ProblemLog() if problems is None else problems
        self._jiwer = require("jiwer", "evaluate")
        self._cases = array("q")
        self._edits = array("q")
        self._given = [0, 0]

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's texts."""
        hits: list[Match] = []
        misses: list[ParsedRegion] = []
        inventions: list[ParsedRegion] = []
        texts: list[tuple[str, str]] = []
        for true_regions, predicted_regions in pair_values(truth, predicted):
            true, written = self._texts(true_regions), self._texts(predicted_regions)
            if not true and not written:
                continue
            self._given[0] += len(true)
            self._given[1] += len(written)
            texts += zip_longest(true, written, fillvalue="")
            if true == written:
                hits.append(Match(true_regions[0], predicted_regions[0], 1.0))
            else:
                misses += true_regions
                inventions += predicted_regions
        if not texts:
            return Outcome()
        edits = self._count_edits(texts)
        self._cases.append(case)
        self._edits.extend(edits)
        return Outcome(hits, misses, inventions, _score(edits))

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return `cer` and `wer`; `regions` counts the texts."""
        cases = np.array(self._cases, np.int64)
        columns = np.array(self._edits, np.float64).reshape(-1, len(Edits._fields)).T
        edits = dict(zip(Edits._fields, columns, strict=True))
        rates = {
            "cer": (edits["characters"], edits["true_characters"]),
            "wer": (edits["words"], edits["true_words"]),
        }
        return {
            "tasks": count_distinct(cases),
            "regions": {"truth": self._given[0], "predicted": self._given[1]},
            **ratio_figures(cases, rates, resampler),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return nothing: texts have no labels."""
        return {}

    def _texts(self, regions: Iterable[ParsedRegion]) -> list[str]:
        """Return the texts that are not empty, in their order, without space around them."""
        texts = []
        for region in regions:
            _, value = control_value(region, self._control.name)
            values = value if isinstance(value, list | tuple) else [value]
            texts += [_plain_text(one).strip() for one in values if one is not None]
        return [text for text in texts if text]

    def _count_edits(self, texts: Sequence[tuple[str, str]]) -> Edits:
        """Return the edits of all pairs (true, written); equal ones need no alignment."""
        equal = [true for true, written in texts if true == written]
        different = [
            (true, written)
            for true, written in texts
            if true != written and not self._is_too_long(true, written)
        ]
        characters, words = sum(map(len, equal)), sum(len(text.split()) for text in equal)
        if not different:
            return Edits(0, characters, 0, words)
        truth, predicted = (list(side) for side in zip(*different, strict=True))
        by_characters = self._jiwer.process_characters(truth, predicted)
        by_words = self._jiwer.process_words(truth, predicted)
        return Edits(
            _edits_of(by_characters),
            characters + _true_length(by_characters),
            _edits_of(by_words),
            words + _true_length(by_words),
        )

    def _is_too_long(self, true: str, written: str) -> bool:
        """Return whether aligning two texts would take minutes, and note it."""
        is_long = max(len(true), len(written)) > MAX_ALIGNED_CHARACTERS
        if is_long:
            limit = f"over {MAX_ALIGNED_CHARACTERS:,} characters"
            self._problems.add(f"texts of {self._control} {limit} that differ are not compared")
        return is_long


def _edits_of(alignment: Any) -> int:
    return int(alignment.substitutions + alignment.deletions + alignment.insertions)


def _true_length(alignment: Any) -> int:
    return int(alignment.substitutions + alignment.deletions + alignment.hits)


def _plain_text(value: Any) -> str:
    """Return a text; of a Chat's message what is said."""
    return str(value.get("content", "")) if isinstance(value, Mapping) else str(value)


def _score(edits: Edits) -> float:
    if not edits.true_characters:
        return 0.0
    return max(1 - edits.characters / edits.true_characters, 0.0)
