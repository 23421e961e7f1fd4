"""`prelabel worker`: takes jobs from the queues of a device, and lets each run in its process."""

import logging

from shared.backend.extras import require
from shared.errors import SettingError, redact_url
from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.jobs.rq_queue import AUTO_DEVICE, connect, find_queued_job, served_queues
from shared.jobs.submit import start_process
from shared.settings import Settings

logger = logging.getLogger(__name__)


def serve_queues(settings: Settings, *, until_empty: bool = False) -> None:
    """Run jobs until the process is told to stop; `until_empty` while there are some.

    SettingError if Redis cannot be reached.
    """
    rq, errors = require("rq", "queue"), require("redis.exceptions", "queue")
    connection = connect(settings, blocking=True)
    try:
        connection.ping()
        JobStore(settings.train_dir).prune()
        worker = rq.Worker(
            served_queues(settings.device),
            connection=connection,
            serializer=require("rq.serializers", "queue").JSONSerializer,
        )
        worker.work(burst=until_empty, logging_level="WARNING")
    except errors.RedisError as error:
        address = redact_url(settings.queue_url or "")
        raise SettingError(f"QUEUE_URL={address} cannot be reached: {error}") from None


def run_queued_job(job_id: str) -> str:
    """Run a job that RQ took from a queue, in a process of its own; return how it stands then."""
    settings, store, job = find_queued_job(job_id)
    if not job.is_waiting:
        return job.state.value
    job = _give_device(store, job, settings.device)
    start_process(settings.model_copy(update={"device": job.device}), store, job).wait()
    return store.find(job.id).state.value


def _give_device(store: JobStore, job: Job, device: str) -> Job:
    """Write which device a job gets that names none."""
    if job.device != AUTO_DEVICE or device == AUTO_DEVICE:
        return job
    with store.lock():
        return store.change(store.find(job.id), device=device)
