"""Finds jobs whose process is gone, and starts them again: a server does at its start and later."""

import logging

from shared.errors import PrelabelError
from shared.jobs.ending import WAS_CANCELLED, Ending
from shared.jobs.job import MAX_ATTEMPTS, Job, JobState
from shared.jobs.job_store import START_LIMIT_SECONDS, JobStore, has_live_process
from shared.jobs.process_name import ProcessName, kill_leftovers
from shared.jobs.rq_queue import queue_state
from shared.jobs.submit import start
from shared.machine import host_name
from shared.settings import Settings

logger = logging.getLogger(__name__)

WAS_KILLED = "its process was killed"


def reconcile(settings: Settings) -> list[Job]:
    """Settle the jobs whose process is gone, and return them as they are now.

    One that ran is started again, once; one that waited is always. Several servers may call this
    at once, and often: each job is settled by one of them. A job of another machine counts as dead
    when it has given no sign for two minutes: its process cannot be seen from here.
    """
    store = JobStore(settings.train_dir)
    settled = []
    for job in store.list_jobs():
        if job.is_finished:
            if not store.folder(job.id).is_clear:
                store.folder(job.id).clear()
            continue
        try:
            if (found := _reconcile(settings, store, job)) is not None:
                settled.append(found)
        except PrelabelError as error:
            logger.warning("job %s: %s", job.id, error)
    return settled


def _reconcile(settings: Settings, store: JobStore, job: Job) -> Job | None:
    """Settle a job that has not ended; return it as it is now, None if all is well with it."""
    settled = _settle(store, job.id) or _settle_queued(settings, store, job)
    if settled is not None:
        logger.warning("job %s: %s", settled.id, settled.message)
        if settled.is_waiting:
            start(settings, store, settled)
    return settled


def _settle_queued(settings: Settings, store: JobStore, job: Job) -> Job | None:
    """Write what has become of a job that waits in a queue; None if there is nothing to settle."""
    age = store.file_time() - job.submitted
    if not (job.queue and settings.queue_url and job.is_waiting) or age < START_LIMIT_SECONDS:
        return None
    state = queue_state(settings, job)
    if state not in {None, "failed"}:
        return None
    with store.lock():
        now = store.find(job.id)
        if not now.is_waiting or now.process or now.submitted != job.submitted:
            return None  # a worker has taken it meanwhile
        if state == "failed":
            message = f"the worker of the queue {job.queue} could not start it: see what it printed"
            return store.end(now, Ending(JobState.failed, message))
        message = f"it was lost from the queue {job.queue}: it is put there again"
        return store.change(now, submitted=store.file_time(), message=message)


def _settle(store: JobStore, job_id: str) -> Job | None:
    """Write what has become of a job without a process; None if there is nothing to settle."""
    with store.lock():
        job, file_time = store.find(job_id), store.file_time()
        if job.is_finished or has_live_process(job, store, file_time):
            return None
        is_starting = job.pid is None and file_time - job.submitted < START_LIMIT_SECONDS
        if job.is_waiting and not job.process and (is_starting or job.queue):
            return None
        _kill_leftovers(job)
        if (ending := _find_ending(store, job)) is None:
            return _let_wait(store, job, file_time)
        ended = store.end(job, ending)
    store.folder(job.id).clear()
    return ended


def _find_ending(store: JobStore, job: Job) -> Ending | None:
    """Return how a job ended whose process is gone; None if it is to be started again."""
    folder = store.folder(job.id)
    if job.attempts and (ending := Ending.read(folder, job.attempts)) is not None:
        return ending
    if folder.is_cancelled:
        return Ending(JobState.cancelled, WAS_CANCELLED)
    if job.attempts < MAX_ATTEMPTS:
        return None
    message = f"{WAS_KILLED} in {job.attempts} attempts (the log has what it said until then)"
    return Ending(JobState.failed, message)


def _let_wait(store: JobStore, job: Job, file_time: float) -> Job:
    changes = {"pid": None, "process": "", "submitted": file_time, "host": host_name()}
    if job.attempts == 0:
        return store.change(job, message="it waits again", **changes)
    message = f"{WAS_KILLED}: it is started again"
    return store.change(job, state=JobState.interrupted, message=message, **changes)


def _kill_leftovers(job: Job) -> None:
    name = ProcessName.parse(job.process)
    if name is not None and name.is_here and (count := kill_leftovers(job.id)):
        logger.warning("job %s: %d processes that it had left were killed", job.id, count)
