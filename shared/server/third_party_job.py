"""Trains a class of label-studio-ml in a job, after which it is loaded again (FIT_IN_JOB).

What `fit` writes to files is there afterwards, in each worker; what it keeps in memory is not. So a
class of the 2.x line, of which its own server makes a new object for each request, works as there
with several workers.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared.errors import PrelabelError
from shared.jobs.context import JobContext
from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.jobs.reconcile import reconcile
from shared.jobs.submit import submit_job
from shared.server.third_party_file import load_class
from shared.server.third_party_instances import InstanceKey, ModelInstances
from shared.settings import Settings

logger = logging.getLogger(__name__)

KIND = "fit"
FUNCTION = "shared.server.third_party_job:run_fit"
POLL_SECONDS = 2.0


def start_fit(
    settings: Settings, reference: str, event: Mapping[str, Any], instance: InstanceKey
) -> Job:
    """Start the job that gives an event to `fit`, or return the one that waits to do the same.

    `event` is what Label Studio sent. Events of one annotation are one job while it waits. It runs
    on this machine, where the class's files and libraries are.
    """
    project, xml = instance
    path, _, class_name = reference.rpartition(":")
    annotation = event.get("annotation")
    number = annotation.get("id", "") if isinstance(annotation, dict) else ""
    arguments = {
        "reference": f"{Path(path).expanduser().resolve()}:{class_name}",
        "event": dict(event),
        "project": project,
        "label_config": xml,
    }
    here = settings.model_copy(update={"queue_url": None})
    return submit_job(here, KIND, f"{project}:{event['action']}:{number}", FUNCTION, arguments)


def run_fit(context: JobContext) -> Mapping[str, Any]:
    """Create the model, and give it the event; return the version that it then has."""
    arguments = context.arguments
    model_class = load_class(arguments["reference"])
    context.say(f"{model_class.__name__} trains")
    key = arguments["project"], arguments["label_config"]
    model = ModelInstances(model_class).create_another(key)
    event = arguments["event"]
    model.process_event(event["action"], event, context.job.id, {})
    context.say(f"{model_class.__name__} has trained")
    return {"model_version": str(getattr(model, "model_version", None) or "")}


class FitWatch:
    """Calls `notice` when trainings of this kind have ended well, whoever started them."""

    def __init__(self, settings: Settings, notice: Callable[[], None]) -> None:
        self._settings = settings
        self._store = JobStore(settings.train_dir)
        self._notice = notice
        self._known: frozenset[str] = frozenset()
        self._known = self._list_done()

    def run(self) -> None:
        """Look after jobs until the process ends."""
        pause = threading.Event()
        try:
            if self._store.path.is_dir():
                reconcile(self._settings)
        except (PrelabelError, OSError) as error:
            logger.warning("Jobs of TRAIN_DIR cannot be looked after: %s", error)
        while not pause.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Call `notice` if a training has ended since the last look."""
        done = self._list_done()
        new, self._known = done - self._known, done
        if new:
            self._notice()

    def _list_done(self) -> frozenset[str]:
        try:
            jobs = self._store.list_jobs() if self._store.path.is_dir() else []
        except (PrelabelError, OSError) as error:
            logger.warning("Jobs of TRAIN_DIR cannot be read: %s", error)
            return self._known
        return frozenset(job.id for job in jobs if (job.kind, job.state) == (KIND, JobState.done))
