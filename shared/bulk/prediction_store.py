"""Stores predictions in a project once each, whatever becomes of a request or its answer."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.label_studio.project import (
    Project,
    UnavailableError,
    may_have_repeated,
    predicted_versions,
)

COUNT_FIELDS = "id,predictions_model_versions,total_predictions"
# How long Label Studio may be at work on a request whose answer was lost.
LATE_SECONDS = 60.0
# More tasks than a batch has.
BATCH_TASKS = 999

Tasks = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class _Doubt:
    """A request to store `count` tasks whose answer was lost, which may be carried out `until`."""

    count: int
    until: float


class PredictionStore:
    """The predictions of one project, stored by several workers."""

    def __init__(self, project: Project) -> None:
        self._project = project
        # By the first and the last id of the tasks.
        self._doubts: dict[tuple[int, int], _Doubt] = {}

    @property
    def has_doubts(self) -> bool:
        """Whether a request may still be carried out whose answer was lost."""
        return bool(self._doubts)

    def store_missing(self, tasks: Tasks) -> int:
        """Store the predictions that tasks of ascending ids lack now; return of how many tasks.

        Tasks that were deleted are left out: Label Studio would refuse all of them. After an
        UnavailableError, call it again with the same tasks.
        """
        span = _span(tasks)
        lacking = self._find_lacking(tasks, span)
        if not lacking:  # the request whose answer was lost was carried out
            doubt = self._doubts.pop(span, None)
            return 0 if doubt is None else doubt.count
        try:
            self._project.store_predictions(lacking, again=False)
        except UnavailableError as error:
            if error.may_go_on:
                self._doubts[span] = _Doubt(len(lacking), time.monotonic() + LATE_SECONDS)
            raise
        return len(lacking)

    def remove_repeated(self, tasks: Tasks) -> None:
        """Remove what others have stored at the same moment as these tasks."""
        self._remove_between(_span(tasks))

    def _find_lacking(self, tasks: Tasks, span: tuple[int, int]) -> list[dict[str, Any]]:
        """Return tasks with those of their predictions that are not stored, if there are any."""
        listed = self._project.list_between(*span, BATCH_TASKS)
        there = {task.id: predicted_versions(task) for task in listed}
        lacking = [
            {
                "id": task["id"],
                "predictions": [
                    one for one in task["predictions"] if one["model_version"] not in versions
                ],
            }
            for task in tasks
            if (versions := there.get(task["id"])) is not None
        ]
        return [task for task in lacking if task["predictions"]]

    def settle_doubts(self) -> None:
        """Look at what was stored while an answer was lost, once nothing is stored late."""
        for span, doubt in list(self._doubts.items()):
            if doubt.until < time.monotonic():
                self._remove_between(span)
                del self._doubts[span]

    def remove_listed(self, tasks: Iterable[Any]) -> None:
        """Remove what listed tasks have twice."""
        for task in tasks:
            if may_have_repeated(task):
                self._project.delete_repeated(task.id)

    def _remove_between(self, span: tuple[int, int]) -> None:
        self.remove_listed(self._project.list_between(*span, BATCH_TASKS, COUNT_FIELDS))


def _span(tasks: Tasks) -> tuple[int, int]:
    return tasks[0]["id"], tasks[-1]["id"]
