"""Jobs on other machines: RQ queues in the Redis of QUEUE_URL, one for each device.

A queue only says whose turn it is. What a job is, and how it goes, stands in TRAIN_DIR, which the
workers share; see https://python-rq.org.
"""

import logging
from typing import TYPE_CHECKING, Any

from shared.backend.extras import require
from shared.errors import SettingError, redact_url
from shared.jobs.job import Job, JobError, JobNotFoundError
from shared.jobs.job_store import JobStore
from shared.settings import Settings, read_settings

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

AUTO_DEVICE = "auto"
_PREFIX = "prelabel-"
_FUNCTION = "shared.jobs.queue_worker.run_queued_job"
_CONNECT_SECONDS = 2.0
_REPLY_SECONDS = 5.0
# RQ keeps its own record of a job so long, in seconds; ours is in TRAIN_DIR.
_DONE_SECONDS, _FAILED_SECONDS = 60, 7 * 86_400


def queue_name(device: str) -> str:
    """Return the queue of a device: prelabel-cuda:0."""
    return _PREFIX + device


def served_queues(device: str) -> list[str]:
    """Return the queues that a worker with a device serves: its own first, and who names none."""
    own = ["cpu"] if device == AUTO_DEVICE else [device]
    return [queue_name(name) for name in (*own, AUTO_DEVICE)]


def enqueue(settings: Settings, store: JobStore, job: Job) -> None:
    """Put a job into its queue. JobError if Redis cannot be reached: the job stays, and waits."""
    if settings.queue_url is None:
        raise SettingError(f"job {job.id} waits in the queue {job.queue}, but QUEUE_URL is not set")
    rq, errors = require("rq", "queue"), require("redis.exceptions", "queue")
    options: dict[str, Any] = {"job_id": _record_id(job), "timeout": -1}
    options |= {"result_ttl": _DONE_SECONDS, "failure_ttl": _FAILED_SECONDS}
    try:
        queue = rq.Queue(job.queue, connection=connect(settings), serializer=_serializer())
        queue.enqueue_call(_FUNCTION, (job.id,), description=f"{job.kind} {job.id}", **options)
        _say(store, job, f"it waits for a worker of the queue {job.queue}")
    except errors.RedisError as error:
        why = redact_url(str(error))
        _say(store, job, f"it waits for the Redis of QUEUE_URL, which cannot be reached: {why}")
        raise JobError(
            f"the Redis of QUEUE_URL={redact_url(settings.queue_url)} cannot be reached ({why}):"
            f" job {job.id} is kept, and goes into the queue when it answers again"
        ) from None


def _say(store: JobStore, job: Job, message: str) -> None:
    with store.lock():
        waiting = store.find(job.id)
        if waiting.is_waiting:
            store.change(waiting, message=message)


def queue_state(settings: Settings, job: Job) -> str | None:
    """Return what RQ knows of a waiting job: "queued", "started", "failed"; None if nothing.

    JobError if Redis cannot be reached.
    """
    rq_job = require("rq.job", "queue").Job
    errors, rq_errors = require("redis.exceptions", "queue"), require("rq.exceptions", "queue")
    try:
        record = rq_job.fetch(
            _record_id(job), connection=connect(settings), serializer=_serializer()
        )
        return str(record.get_status().value)
    except rq_errors.NoSuchJobError:
        return None
    except errors.RedisError as error:
        raise JobError(
            f"the Redis of QUEUE_URL cannot be reached: {redact_url(str(error))}"
        ) from None


def connect(settings: Settings, *, blocking: bool = False) -> "Redis":
    """Return a connection that gives up soon; `blocking` for a worker, which waits for jobs.

    SettingError if QUEUE_URL is no address of a Redis.
    """
    redis = require("redis", "queue")
    url = settings.queue_url
    if url is None:
        raise SettingError("QUEUE_URL is not set: expected a Redis, e.g. redis://host:6379/0")
    reply = None if blocking else _REPLY_SECONDS
    retry = require("redis.retry", "queue").Retry(require("redis.backoff", "queue").NoBackoff(), 1)
    try:
        connection: Redis = redis.Redis.from_url(
            url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=reply, retry=retry
        )
    except ValueError as error:
        raise SettingError(
            f"QUEUE_URL={redact_url(url)}: expected a Redis, e.g. redis://host:6379/0 ({error})"
        ) from None
    return connection


def find_queued_job(job_id: str) -> tuple[Settings, JobStore, Job]:
    """Return a job that the queue names, as this worker has it; SettingError if it does not."""
    settings = read_settings(Settings)
    store = JobStore(settings.train_dir)
    try:
        return settings, store, store.find(job_id)
    except JobNotFoundError:
        raise SettingError(
            f"job {job_id} of the queue is not in TRAIN_DIR={store.train_dir}: let TRAIN_DIR be the"
            " folder that the server has, on a disk that both share"
        ) from None


def _serializer() -> Any:
    """Return JSON: RQ's default would run what others write into Redis."""
    return require("rq.serializers", "queue").JSONSerializer


def _record_id(job: Job) -> str:
    """Return the name of RQ's record of the next attempt."""
    return f"{job.id}-{job.attempts + 1}"
