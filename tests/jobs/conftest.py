"""Runs jobs in real processes."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.jobs.process_name import JOB_VARIABLE
from shared.jobs.supervisor import Patience, Supervisor
from shared.settings import Settings

FUNCTIONS = "tests.jobs.functions:"
QUICK = Patience(report=0.4, terminate=0.4, turn_poll=0.03, child_poll=0.01)
WAIT_SECONDS = 30.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(train_dir=tmp_path / "training")


@pytest.fixture
def store(settings: Settings) -> JobStore:
    return JobStore(settings.train_dir)


@pytest.fixture(autouse=True)
def _no_process_stays(tmp_path: Path) -> Iterator[None]:
    """End the processes of this test's jobs, by their TRAIN_DIR, whatever became of the test."""
    yield
    if not (tmp_path / "training").exists():
        return
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if JOB_VARIABLE in (env := process.environ()) and str(tmp_path) in env["TRAIN_DIR"]:
                process.kill()


@pytest.fixture
def fork(store: JobStore) -> Iterator[Callable[[Job], int]]:
    """Run a job's process as a fork of this one, which needs no imports; return its id."""
    forked: list[int] = []

    def run(job: Job) -> int:
        forked.append(_fork(store, job))
        return forked[-1]

    yield run
    for pid in forked:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _fork(store: JobStore, job: Job) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        log = os.open(store.folder(job.id).log, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", closefd=False)
        Supervisor(store, job.id, QUICK).run()
    finally:
        os._exit(0)


def create(store: JobStore, function: str, device: str = "cpu", **arguments: Any) -> Job:
    """Create a job of a project of its own."""
    key = f"{time.monotonic_ns()}"
    return store.create("training", key, FUNCTIONS + function, arguments, device)


def wait_for(store: JobStore, job: Job, *states: JobState, seconds: float = WAIT_SECONDS) -> Job:
    """Wait until a job has one of the states, or has ended."""
    deadline = time.monotonic() + seconds
    while True:
        found = store.find(job.id)
        if found.state in states or (found.is_finished and not states):
            return found
        assert not found.is_finished, found
        assert time.monotonic() < deadline, (found, store.folder(job.id).log.read_text())
        time.sleep(0.01)


def wait_until(is_true: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def child_of(pid: int) -> psutil.Process:
    """Return the process in which a job's function runs."""
    wait_until(lambda: psutil.Process(pid).children())
    return psutil.Process(pid).children()[0]
