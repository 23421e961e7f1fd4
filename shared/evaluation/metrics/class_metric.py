"""Choices, taxonomies, pairs and dates: a hit says the same."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import product
from typing import Any

import numpy as np

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.metrics.figures import (
    count_distinct,
    join_figures,
    ratio_figures,
    with_intervals,
)
from shared.evaluation.metrics.label_counts import LabelCounts
from shared.evaluation.metrics.labelled_regions import control_value
from shared.evaluation.metrics.metric import (
    NO_LABEL,
    Outcome,
    Resampler,
    ScoredPredictions,
)
from shared.evaluation.metrics.paired_values import ComparedValues, compare_values
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

# Tags whose values are no labels: only their accuracy can be told.
FREE_TAGS = frozenset(("DateTime",))
# Tags whose values are lists of names.
LABEL_TAGS = frozenset(("Choices", "Taxonomy"))


class ClassMetric:
    """Accuracy and, of labels, F1, confusion and calibration.

    An answer is the set of labels that a control tag gives to the task, to a list's item or to a
    region. It is right if it equals the true one. One that only the truth or only the prediction
    has is wrong; if neither has one, there is no case. A task's score is the mean F1 of its sets.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._counts = LabelCounts()
        self._confusion: Counter[tuple[str, str]] = Counter()
        self._cases, self._equal = array("q"), array("b")
        self._given = [0, 0]

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's answers."""

        def compare(
            true_regions: Sequence[ParsedRegion], predicted_regions: Sequence[ParsedRegion]
        ) -> ComparedValues | None:
            true_set, predicted_set = self._answer(true_regions), self._answer(predicted_regions)
            if not true_set and not predicted_set:
                return None
            score = self._count(case, true_set, predicted_set)
            self._count_scores(case, predicted_regions, true_set)
            return ComparedValues(score, true_set == predicted_set)

        return compare_values(truth, predicted, compare)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures overall and by label.

        `confusion` holds the number of answers by true and predicted label; NO_LABEL stands for
        what the other side lacks. Of several choices those that both have count on the diagonal,
        and each missed one counts with each invented one.
        """
        cases = np.array(self._cases, np.int64)
        equal = np.array(self._equal, np.float64)
        parts = [ratio_figures(cases, {"accuracy": (equal, np.ones(len(equal)))}, resampler)]
        if self._has_labels:
            parts += [self._counts.macro_f1(resampler), self._micro_f1(resampler)]
        parts.append(self._counts.calibration(resampler))
        return {
            "tasks": count_distinct(cases),
            "regions": {"truth": self._given[0], "predicted": self._given[1]},
            **join_figures(*parts),
            **(self._counts.label_figures(resampler) if self._has_labels else {}),
            **self._confusion_figures(),
        }

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
        return self._counts.scored() if self._has_labels else {}

    @property
    def _has_labels(self) -> bool:
        return self._control.tag not in FREE_TAGS

    def _answer(self, regions: Iterable[ParsedRegion]) -> Set[str]:
        return {label for region in regions for label in self._labels_of(region)}

    def _labels_of(self, region: ParsedRegion) -> Sequence[str]:
        tag, value = control_value(region, self._control.name)
        if value is None or value == "":
            return ()
        return labels_of(tag, value) if tag.tag in LABEL_TAGS else (str(value).strip(),)

    def _count(self, case: int, truth: Set[str], predicted: Set[str]) -> float:
        """Count an answer, and return its F1."""
        self._cases.append(case)
        self._equal.append(truth == predicted)
        self._given[0] += bool(truth)
        self._given[1] += bool(predicted)
        if self._has_labels:
            for label in sorted(truth | predicted):
                true, claimed = label in truth, label in predicted
                self._counts.add(case, label, (true and claimed, true, claimed))
            self._confusion.update(_confused(truth, predicted))
        return 2 * len(truth & predicted) / (len(truth) + len(predicted))

    def _count_scores(self, case: int, regions: Iterable[ParsedRegion], truth: Set[str]) -> None:
        for region in regions:
            if region.score is None:
                continue
            for label in self._labels_of(region):
                known = label if self._has_labels else NO_LABEL
                self._counts.add_score(case, known, region.score, label in truth)

    def _micro_f1(self, resampler: Resampler) -> dict[str, Any]:
        """Return the F1 of all labels together, as `micro_f1`."""
        figures = self._counts.figures(resampler)
        if "f1" not in figures:
            return {}
        return {
            "micro_f1": figures["f1"],
            **with_intervals({"micro_f1": figures.get("interval", {}).get("f1")}),
        }

    def _confusion_figures(self) -> dict[str, Any]:
        table: dict[str, dict[str, int]] = defaultdict(dict)
        for (true, predicted), count in sorted(self._confusion.items()):
            table[true][predicted] = count
        return {"confusion": dict(table)} if table else {}


def _confused(truth: Set[str], predicted: Set[str]) -> list[tuple[str, str]]:
    """Return which labels stand against which."""
    equal = [(label, label) for label in truth & predicted]
    if truth == predicted:
        return equal
    missed, invented = truth - predicted or {NO_LABEL}, predicted - truth or {NO_LABEL}
    return equal + list(product(missed, invented))
