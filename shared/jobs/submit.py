"""Creates jobs, and the processes that run them."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.jobs.priority import thread_variables
from shared.jobs.process_name import JOB_VARIABLE
from shared.jobs.rq_queue import enqueue, queue_name
from shared.settings import Settings, child_environment

_ROOT = Path(__file__).parents[2]


def submit_job(
    settings: Settings,
    kind: str,
    key: str,
    function: str,
    arguments: Mapping[str, Any],
    device: str = "cpu",
) -> Job:
    """Create a job and let it run; return it, or the one of this kind and key that waits already.

    It runs in a process of its own on this machine; with QUEUE_URL on an RQ worker.
    """
    store = JobStore(settings.train_dir)
    queue = queue_name(device) if settings.queue_url else ""
    wanted = Job("", kind, key, function, arguments, device, queue)
    job, is_new = store.find_or_create(wanted)
    if is_new:
        store.prune()
        start(settings, store, job)
    return job


def start(settings: Settings, store: JobStore, job: Job) -> None:
    """Let a waiting job run where it belongs. JobError if its queue cannot be reached."""
    if job.queue:
        enqueue(settings, store, job)
    else:
        start_process(settings, store, job)


def start_process(settings: Settings, store: JobStore, job: Job) -> "subprocess.Popen[bytes]":
    """Start the process of a job: in a session of its own, so that it outlives this one."""
    command = [sys.executable, "-m", "shared.jobs.worker", str(store.train_dir), job.id]
    with store.folder(job.id).log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=job_environment(settings, store, job),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Somebody has to take note of its end, or it stays as a zombie.
    threading.Thread(target=process.wait, name=f"job {job.id}", daemon=True).start()
    return process


def job_environment(settings: Settings, store: JobStore, job: Job) -> dict[str, str]:
    """Return the environment of a job's process: ours, with the settings as they are here."""
    given = {name: _as_text(getattr(settings, name)) for name in settings.model_fields_set}
    variables = {name.upper(): text for name, text in given.items() if text is not None}
    environment = child_environment(
        variables
        | thread_variables(settings.train_threads)
        | {"TRAIN_DIR": str(store.train_dir), JOB_VARIABLE: job.id, "PYTHONUNBUFFERED": "1"}
    )
    if _ROOT.name not in {"site-packages", "dist-packages"}:  # a checkout
        paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = ":".join(filter(None, paths))
    return environment


def _as_text(value: Any) -> str | None:
    """Return a setting as its environment variable has it; None for one that is not set."""
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
