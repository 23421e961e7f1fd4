"""What goes on after a request of many tasks: a job predicts those that it could not finish.

Label Studio stores what a request answers, and leaves a task that is answered with `[]` as it is
(`_get_predictions_from_ml_backend` in its `ml/models.py`). So a task is either answered, or left to
a job, never both: a task that a job has is answered with `[]`.
"""

import logging
from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

from shared.backend.base import Backend
from shared.backend.registry import find_backend
from shared.errors import PrelabelError, SettingError
from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.label_studio.project import find_project_key
from shared.label_studio.project_key import (
    is_project_key,
    project_number,
    read_project_number,
)
from shared.server.drawn_job import start_drawn
from shared.server.prediction_job import KIND, start_prediction, unpack_ids
from shared.settings import Settings
from shared.training.source import missing_variables

logger = logging.getLogger(__name__)


class AllTasks:
    """Contains every task."""

    def __contains__(self, number: object) -> bool:
        return True


class BackgroundPredictions:
    """Hands projects over to jobs, with the backends that serve.

    `settings.backends` are the names of these backends, for the processes of the jobs.
    """

    def __init__(self, settings: Settings, classes: Sequence[type[Backend]]) -> None:
        self._settings = settings
        self._classes = classes
        self._store = JobStore(settings.train_dir)
        self.problem: str | None = None

    def obstacle(self) -> str | None:
        """Return what is missing for such jobs, in one sentence; None if nothing is."""
        missing = missing_variables(self._settings)
        if missing:
            names = " and ".join(missing)
            return f"{names} must be set: jobs store predictions by Label Studio's API"
        for cls in self._classes:
            if find_backend(cls.name) not in cls.__mro__:
                return f"{cls.name} is served from a file: install it to have it predict in jobs"
        return None

    @property
    def is_on(self) -> bool:
        """Whether what requests could not finish is left to jobs."""
        return self._settings.predict_in_background and self.obstacle() is None

    def warn(self) -> None:
        """Log why nothing is predicted in the background, though it should be."""
        if self._settings.predict_in_background and (obstacle := self.obstacle()) is not None:
            logger.warning("PREDICT_IN_BACKGROUND has no effect: %s", obstacle)

    def report(self) -> dict[str, Any]:
        """Return what /status says."""
        return {
            "enabled": self._settings.predict_in_background,
            "obstacle": self.obstacle() if self._settings.predict_in_background else None,
            "problem": self.problem,
        }

    def tasks_of_jobs(self, key: str) -> "Container[object]":
        """Return the tasks of a project that jobs have, which wait or run."""
        numbers: set[int] = set()
        for job in self._store.list_jobs() if self._store.path.is_dir() else ():
            if job.kind != KIND or job.key != key or job.is_finished:
                continue
            if "tasks" not in job.arguments:
                return AllTasks()
            numbers |= unpack_ids(job.arguments["tasks"])
        return numbers

    def hand_over(self, key: str, tasks: Collection[Any], backend: str | None) -> None:
        """Let a job predict tasks that no job has yet. What is wrong is logged and kept."""
        number = project_number(key) if is_project_key(key) else None
        if number is None:
            return
        try:
            known = self.tasks_of_jobs(key)
            left = [task for task in tasks if isinstance(task, int) and task not in known]
            if left:
                job = start_prediction(self._settings, number, key, left, backend)
                logger.info("project %s: job %s predicts %d tasks", key, job.id, len(left))
            self.problem = None
        except (PrelabelError, OSError) as error:
            self.problem = f"project {key}: {error}"
            logger.warning("%d tasks are not predicted in the background: %s", len(tasks), error)

    def finish_drawn(
        self,
        key: str,
        task: Any,
        context: Mapping[str, Any],
        backend: str | None,
    ) -> None:
        """Let a job do for a task what a request of the editor had no time for.

        What is wrong is logged and kept.
        """
        number = project_number(key) if is_project_key(key) else None
        task_id = task.get("id") if isinstance(task, dict) else None
        if number is None or not isinstance(task_id, int) or not self.is_on:
            return
        arguments = {"project": number, "task": task_id, "context": dict(context)}
        try:
            given = arguments if backend is None else {**arguments, "backend": backend}
            job = start_drawn(self._settings, key, given)
            logger.info("project %s: job %s goes on with task %d", key, job.id, task_id)
            self.problem = None
        except (PrelabelError, OSError) as error:
            self.problem = f"project {key}: {error}"
            logger.warning("task %d: what is drawn is not finished: %s", task_id, error)

    def start(self, project: str) -> Job:
        """Start the prediction of all tasks of a project that lack one, by its id or key.

        One that does the same and has not ended is returned. SettingError says what is missing.
        """
        number = read_project_number(project)
        if (obstacle := self.obstacle()) is not None:
            raise SettingError(obstacle)
        key = find_project_key(project, self._settings)
        for job in self._store.list_jobs():
            is_same = (job.kind, job.key) == (KIND, key) and "tasks" not in job.arguments
            if is_same and not job.is_finished:
                return job
        return start_prediction(self._settings, number, key)
