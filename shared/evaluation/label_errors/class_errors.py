"""Classes of whole tasks that are most likely wrong, by cleanlab (confident learning).

cleanlab needs the probability of every class, and a stored prediction has the score of the chosen
one alone: that is its probability, and what is left to 1 is spread evenly over the other classes
that occur. Predictions without a score, tags without an answer and answers of several classes are
left out.
"""

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend.extras import require
from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.annotators.consensus import is_whole_task
from shared.evaluation.label_errors.issue import LabelIssue
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

WRONG_CLASS = "wrong class"
# Probabilities of one call of cleanlab, which makes several arrays of that size.
MATRIX_ENTRIES = 4_000_000


class ClassErrors:
    """Collects what was annotated and predicted by a control tag: 20 bytes and an id a task."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._classes: dict[str, int] = {}
        self._tasks: list[Any] = []
        self._truth, self._predicted, self._scores = array("i"), array("i"), array("d")

    def add(
        self, task: Any, truth: tuple[ParsedRegion, ...], predicted: tuple[ParsedRegion, ...]
    ) -> None:
        """Add a task with its true and predicted regions, of whatever control tag."""
        said = {self._item(region): name for region, name in self._named(truth)}
        for region, name in self._named(predicted):
            annotated = said.get(self._item(region))
            if annotated is not None and region.score is not None:
                self._tasks.append(task)
                self._truth.append(self._number(annotated))
                self._predicted.append(self._number(name))
                self._scores.append(min(max(float(region.score), 0.0), 1.0))

    def issues(self) -> Iterator[LabelIssue]:
        """Yield the tasks whose class cleanlab takes for wrong."""
        if len(self._classes) < 2:
            return
        names = list(self._classes)
        step = max(MATRIX_ENTRIES // len(names), 1)
        for start in range(0, len(self._tasks), step):
            end = min(start + step, len(self._tasks))
            for place, quality in self._find_issues(start, end):
                yield LabelIssue(
                    self._tasks[place],
                    self._control.name,
                    names[self._truth[place]],
                    WRONG_CLASS,
                    1 - quality,
                    names[self._predicted[place]],
                )

    def _find_issues(self, start: int, end: int) -> Iterator[tuple[int, float]]:
        """Yield the places of wrong classes among a range of tasks, and the label's quality."""
        labels = np.asarray(self._truth[start:end], np.int64)
        probabilities = self._probabilities(start, end)
        # Of each class as many as the confident joint says are wrong, those least sure first.
        find: Any = require("cleanlab.filter", "evaluate").find_label_issues
        found = find(
            labels,
            probabilities,
            filter_by="prune_by_class",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
        for place in found:
            yield start + int(place), float(probabilities[place, labels[place]])

    def _probabilities(self, start: int, end: int) -> NDArray[np.float64]:
        """Return the probability of each class, shape (tasks, classes)."""
        scores = np.asarray(self._scores[start:end], np.float64)
        others = (1 - scores) / (len(self._classes) - 1)
        matrix = np.repeat(others[:, None], len(self._classes), axis=1)
        matrix[np.arange(len(scores)), np.asarray(self._predicted[start:end], np.int64)] = scores
        return matrix

    def _named(self, regions: tuple[ParsedRegion, ...]) -> Iterator[tuple[ParsedRegion, str]]:
        """Yield the answers of exactly one class, with its name."""
        for region in filter(is_whole_task, regions):
            names = labels_of(self._control, value_of(region, self._control.name))
            if len(names) == 1:
                yield region, names[0]

    def _item(self, region: ParsedRegion) -> Any:
        return region.region_keys.get("item_index") or 0

    def _number(self, name: str) -> int:
        return self._classes.setdefault(name, len(self._classes))
