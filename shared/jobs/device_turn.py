"""One job at a time for each device of a machine, the oldest first."""

import re

from shared.jobs.file_lock import FileLock
from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.jobs.process_name import ProcessName
from shared.machine import host_name, machine_name

# A job that was just created goes first although its process has not come yet.
ARRIVAL_SECONDS = 10.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class DeviceTurn:
    """A job's turn on its device. It ends with the last process of the job, however that ends."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self._job = job
        # The name is that of the machine, not of the container: they share the device.
        device = _UNSAFE.sub("_", job.device)
        self._lock = FileLock(store.path / f".device-{machine_name()}-{device}.lock")

    def take(self) -> bool:
        """Take the turn if the device is free and no older job waits; return whether it was."""
        if not self._lock.acquire():
            return False
        if any(self._goes_first(one) for one in self._store.list_jobs()):
            self._lock.release()
            return False
        return True

    def give_back(self) -> None:
        """Let the next job have the device."""
        self._lock.release()

    def _goes_first(self, one: Job) -> bool:
        """Return whether another job is older, and waits for the device here."""
        if not one.is_waiting or one.id >= self._job.id or one.device != self._job.device:
            return False
        name = ProcessName.parse(one.process)
        if name is not None and one.pid is not None:
            return name.is_here and ProcessName.of(one.pid) == name
        is_new = self._store.file_time() - one.submitted < ARRIVAL_SECONDS
        return is_new and not one.queue and one.host == host_name()
