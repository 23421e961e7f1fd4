"""The job that predicts tasks of a project: those that a request could not finish, or all.

It has a copy of the models of its own, and the priority and threads of trainings (TRAIN_NICENESS,
TRAIN_THREADS). It waits for other predictions of this machine, but for no training, which may take
an hour: its lane is a device of its own.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.bulk.project_worker import ProjectWorker
from shared.bulk.task_lease import LeaseBook
from shared.bulk.work_loop import WorkLoop
from shared.errors import SettingError
from shared.jobs.context import JobContext
from shared.jobs.job import Job, JobError
from shared.jobs.submit import submit_job
from shared.label_studio.project import Project
from shared.pipeline.runtime import runtime
from shared.server.plan_store import Plans
from shared.server.project_plans import ProjectPlans
from shared.settings import Settings

KIND = "prediction"
FUNCTION = "shared.server.prediction_job:run_prediction"
# One prediction job at a time on a machine, whatever trains there.
LANE = "predictions"
POLL_SECONDS = 1.0
# Reasons that the result of a job names.
MAX_REASONS = 10

Ranges = list[list[int]]


def start_prediction(
    settings: Settings,
    project: int,
    key: str,
    tasks: Iterable[int] | None = None,
    backend: str | None = None,
) -> Job:
    """Start the job that predicts tasks of a project, or return the one that waits to do the same.

    `tasks` are ids, by default all; those that have predictions are left out when it runs. It runs
    on this machine, since it needs what the server has: its media, weights and libraries.
    """
    arguments: dict[str, Any] = {"project": project}
    if tasks is not None:
        arguments["tasks"] = pack_ids(tasks)
    if backend is not None:
        arguments["backend"] = backend
    here = settings.model_copy(update={"queue_url": None})
    return submit_job(here, KIND, key, FUNCTION, arguments, LANE)


def pack_ids(numbers: Iterable[int]) -> Ranges:
    """Return ids as ranges `[first, last]`, so that a million of them is a short argument."""
    ranges: Ranges = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def unpack_ids(ranges: Sequence[Sequence[int]]) -> frozenset[int]:
    """Return the ids of ranges."""
    return frozenset(n for first, last in ranges for n in range(first, last + 1))


def run_prediction(context: JobContext) -> Mapping[str, Any]:
    """Predict and store what is missing; return how many tasks are done, and why others failed.

    A second attempt does the same, and so goes on where the first was killed.
    """
    settings, arguments = context.settings, context.arguments
    project = Project(arguments["project"], settings)
    leases = LeaseBook(project, holder=f"job {context.job.id}")
    try:
        plans = ProjectPlans(settings, runtime())
        worker = ProjectWorker(project, runtime().pipeline, leases)
        if "tasks" in arguments:
            worker.only = unpack_ids(arguments["tasks"])
        progress = _Progress(context, worker)
        worker.report = progress.report

        def load(worker: ProjectWorker) -> Plans:
            found = plans.load(project, arguments.get("backend"))
            check_key(project, context.job.key)
            progress.begin(project.task_count if worker.only is None else len(worker.only))
            return found

        stop, patience = threading.Event(), settings.predict_patience
        context.say("loads the models")
        WorkLoop([worker], load, stop, POLL_SECONDS, patience).run(once=True)
    finally:
        leases.close()
        project.close()
    return _conclude(context, worker)


def _conclude(context: JobContext, worker: ProjectWorker) -> Mapping[str, Any]:
    count = worker.count
    reasons = dict(sorted(count.reasons.items(), key=lambda one: -one[1])[:MAX_REASONS])
    why = f": {next(iter(reasons))}" if reasons else ""
    message = f"{count.done} tasks predicted, {count.failed} failed{why}"
    if count.failed and not count.done:
        raise JobError(message)
    context.say(message)
    return {"done": count.done, "failed": count.failed, "reasons": reasons}


def check_key(project: Project, expected: str) -> None:
    """Raise SettingError if a project is not the one that a job is about."""
    if project.key != expected:
        raise SettingError(
            f"LABEL_STUDIO_URL is another Label Studio than the one that is predicted for: the"
            f" project is {project.key} there, not {expected} (id and time of creation)"
        )


class _Progress:
    """Reports how far a job is; its rate is that since the models were loaded."""

    def __init__(self, context: JobContext, worker: ProjectWorker) -> None:
        self._context = context
        self._worker = worker
        self._total = 0
        self._start: float | None = None

    def begin(self, total: int) -> None:
        """Take the number of tasks, which may change; the models are loaded."""
        self._total = total
        if self._start is None:
            self._start = time.monotonic()
            self._context.say("predicts")

    def report(self) -> None:
        """Report; raises JobCancelledError if the job was cancelled."""
        count = self._worker.count
        ended = count.done + count.failed
        now = time.monotonic()
        seconds = max(now - (self._start or now), 1e-3)
        self._context.report(
            stage="predict",
            done=count.done,
            failed=count.failed,
            fraction=round(min(1.0, ended / max(self._total, 1)), 4),
            tasks_per_second=round(ended / seconds, 2),
        )
