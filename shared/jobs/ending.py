"""Writes the end of a job that ran, whoever comes to it: its child, or who watches over that."""

import time
from collections.abc import Mapping
from typing import Any

from shared.jobs.job import Job, JobState
from shared.jobs.job_folder import DISK_FULL
from shared.jobs.job_store import JobStore

# The exit status of an attempt that ran out of memory, and wrote no end.
OUT_OF_MEMORY_STATUS = 82
# The end of a job waits so long for room on a full disk.
FULL_DISK_PATIENCE_SECONDS = 300.0


def finish(
    store: JobStore, job: Job, state: JobState, message: str, result: Mapping[str, Any] | None
) -> None:
    """Write the end of a running job; on a full disk, as soon as there is room."""
    deadline = time.monotonic() + FULL_DISK_PATIENCE_SECONDS
    while True:
        try:
            with store.lock():
                if not store.find(job.id).is_finished:
                    store.end(job, state, message, result)
        except OSError as error:
            if error.errno not in DISK_FULL or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return
