"""One request and the jobs that predict in the background: which tasks are whose."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.errors import DeadlineError
from shared.pipeline.multi_model import PredictionJson
from shared.pipeline.prediction import TaskOutcome
from shared.server.background_predictions import BackgroundPredictions


class Handover:
    """Answers tasks that jobs have with `[]`, and leaves to a job what the request cannot finish.

    Without `background`, or where it is off, a request is answered as it is.
    """

    backend: str | None = None

    def __init__(self, background: BackgroundPredictions | None, project: str) -> None:
        self._background = background if background is not None and background.is_on else None
        self._project = project
        self._tasks: Sequence[Any] = ()
        self._chosen: Sequence[Any] = ()
        self._late: dict[Any, None] = {}

    def choose(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """Return the tasks that the request predicts: those that no job has."""
        self._tasks = self._chosen = tasks
        if self._background is not None:
            taken = self._background.tasks_of_jobs(self._project)
            self._chosen = [task for task in tasks if _id_of(task) not in taken]
        return self._chosen

    def note_late(
        self, tasks: Iterable[Any], outcomes: Iterator[TaskOutcome]
    ) -> Iterator[TaskOutcome]:
        """Pass outcomes on, and keep which tasks were not done before the deadline."""
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome.error, DeadlineError):
                self._late[_id_of(task)] = None
            yield outcome

    def answer(self, answers: list[PredictionJson]) -> list[PredictionJson]:
        """Return one answer for each task of the request, and hand over what is late."""
        if self._background is None:
            return answers
        # A job may have begun with one of these tasks since, for another request.
        taken = self._background.tasks_of_jobs(self._project)
        if self._late:
            self._background.hand_over(self._project, self._late, self.backend)
        pairs = zip(self._chosen, answers, strict=True)
        found = {
            id(task): [] if _id_of(task) in taken or _id_of(task) in self._late else answer
            for task, answer in pairs
        }
        return [found.get(id(task), []) for task in self._tasks]


def _id_of(task: Any) -> Any:
    """Return the id of a task that has one that can be one; None for what is no task."""
    number = task.get("id") if isinstance(task, dict) else None
    return number if isinstance(number, int) else None
