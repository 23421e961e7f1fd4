"""SIGKILL at 20 random moments: of a job's process, of its child, of both."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.jobs.reconcile import reconcile
from shared.settings import Settings

from .conftest import create, wait_until

# Its forks have none of the threads and signal handlers of other tests.
pytestmark = pytest.mark.own_process
MOMENTS = 20


def test_killed_at_random_moments_nothing_is_lost(
    store: JobStore, settings: Settings, fork: Callable[[Job], int], tmp_path: Path
) -> None:
    """Each job comes to its end, in one attempt or in two."""
    chance = random.Random(7)
    trace = tmp_path / "trace"
    jobs = []
    for number in range(MOMENTS):  # a device for each, so that they run side by side
        job = create(store, "count", f"cuda:{number}", trace=str(trace), steps=3, seconds=0.01)
        jobs.append(job)
        pid = fork(job)
        time.sleep(chance.uniform(0, 0.15))
        _kill(pid, chance.choice(("process", "child", "both")))
    wait_until(lambda: _settle(store, settings, jobs), 90)
    for job in map(store.find, [job.id for job in jobs]):
        assert job.state is JobState.done, job
        assert job.attempts in {1, 2}
        assert job.result == {"steps": 3, "attempt": job.attempts}
    reconcile(settings)
    for job in jobs:
        assert sorted(os.listdir(store.folder(job.id).path)) == ["job.json", "log.txt"]
    lines = trace.read_text().split("\n")
    assert all(sum(job.id in line and "end" in line for line in lines) >= 1 for job in jobs)


def _kill(pid: int, what: str) -> None:
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children()
        if what != "child":
            os.kill(pid, signal.SIGKILL)
        if what != "process":
            for child in children:
                child.kill()


def _settle(store: JobStore, settings: Settings, jobs: list[Job]) -> bool:
    """Do what servers do now and then; return whether all have ended."""
    for job in jobs:  # no process is on its way: those who never came were killed
        found = store.find(job.id)
        if found.is_waiting and not found.process:
            with suppress(OSError), store.lock():
                if (now := store.find(job.id)).is_waiting and not now.process and now.pid is None:
                    age = store.file_time() - now.submitted
                    store.change(now, submitted=now.submitted - (61 if age > 5 else 0))
    reconcile(settings)
    time.sleep(0.2)
    return all(store.find(job.id).is_finished for job in jobs)
