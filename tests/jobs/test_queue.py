"""Jobs in the queues of a real Redis, and the workers that take them from there."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("rq")

from shared.errors import SettingError
from shared.jobs.job import JobError, JobState
from shared.jobs.job_store import JobStore
from shared.jobs.queue_worker import serve_queues
from shared.jobs.reconcile import reconcile
from shared.jobs.rq_queue import connect, queue_state, served_queues
from shared.jobs.submit import submit_job
from shared.settings import Settings, changed_environment, read_settings

from .conftest import FUNCTIONS, wait_for, wait_until

pytestmark = [
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="redis-server is not installed"
    ),
    # Its forks have none of the threads and signal handlers of other tests.
    pytest.mark.own_process,
]
REPO = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_redis(port: int, folder: Path) -> "subprocess.Popen[bytes]":
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers)
    return server


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    server = start_redis(port, tmp_path_factory.mktemp("redis"))
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    found = Settings(train_dir=tmp_path / "training", queue_url=redis_url)
    connect(found).flushdb()
    return found


@pytest.fixture
def work(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start a worker that ends when its queues are empty, in a fork of this process."""
    workers = []

    def start(device: str, train_dir: Path = settings.train_dir) -> int:
        pid = os.fork()
        if pid:
            workers.append(pid)
            return pid
        try:
            log = os.open(tmp_path / "worker.log", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout = sys.stderr = os.fdopen(2, "w", closefd=False)
            logging.basicConfig(force=True)
            variables = {"TRAIN_DIR": str(train_dir), "QUEUE_URL": settings.queue_url or ""}
            with changed_environment(variables | {"DEVICE": device}):
                serve_queues(read_settings(Settings), until_empty=True)
        finally:
            os._exit(0)

    yield start
    for pid in workers:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


Work = Callable[..., int]


def test_a_worker_runs_the_jobs_of_its_device(
    settings: Settings, store: JobStore, work: Work
) -> None:
    ours, any_device, other = (
        submit_job(settings, "training", device, FUNCTIONS + "count", {}, device)
        for device in ("cuda:1", "auto", "cpu")
    )
    cancelled = submit_job(settings, "training", "7", FUNCTIONS + "count", {}, "cuda:1")
    assert (ours.queue, queue_state(settings, ours)) == ("prelabel-cuda:1", "queued")
    assert store.find(ours.id).message == "it waits for a worker of the queue prelabel-cuda:1"
    again = submit_job(settings, "training", "cuda:1", FUNCTIONS + "count", {}, "cuda:1")
    assert again.id == ours.id
    assert store.cancel(cancelled.id).state is JobState.cancelled
    os.waitpid(work("cuda:1"), 0)
    for job in (ours, any_device):
        done = store.find(job.id)
        assert (done.state, done.device) == (JobState.done, "cuda:1")
        assert done.result == {"steps": 3, "attempt": 1}
    assert store.find(other.id).state is JobState.waiting
    assert store.find(cancelled.id).attempts == 0


def test_a_queued_job_is_cancelled_while_it_runs(
    settings: Settings, store: JobStore, work: Work
) -> None:
    job = submit_job(settings, "training", "2", FUNCTIONS + "count", {"steps": 100_000})
    worker = work("cpu")
    wait_for(store, job, JobState.running)
    store.cancel(job.id)
    os.waitpid(worker, 0)
    assert store.find(job.id).state is JobState.cancelled


def test_a_killed_worker_leaves_the_job_running_and_a_killed_job_is_queued_again(
    settings: Settings, store: JobStore, work: Work
) -> None:
    arguments = {"steps": 30, "seconds": 0.05}
    job = submit_job(settings, "training", "7", FUNCTIONS + "count", arguments)
    command = [sys.executable, "-m", "shared.cli", "worker", "--device", "cpu"]
    variables = {"TRAIN_DIR": str(settings.train_dir), "QUEUE_URL": settings.queue_url or ""}
    environment = os.environ | variables | {"PYTHONPATH": str(REPO)}
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    line = worker.stdout.readline()
    assert line == f"prelabel worker: prelabel-cpu, prelabel-auto of {settings.queue_url}\n"
    running = wait_for(store, job, JobState.running)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert reconcile(settings) == []
    assert store.find(job.id).state is JobState.running
    os.kill(running.pid or 0, signal.SIGKILL)
    wait_until(lambda: store.find(job.id).state is JobState.interrupted)
    [again] = reconcile(settings)
    assert queue_state(settings, again) == "queued"
    os.waitpid(work("cpu"), 0)
    assert store.find(job.id).result == {"steps": 30, "attempt": 2}


def test_a_redis_that_cannot_be_reached_keeps_the_job(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://user:pass-word@127.0.0.1:{port}/0"
    settings = Settings(train_dir=tmp_path / "training", queue_url=url)
    store = JobStore(settings.train_dir)
    started = time.monotonic()
    with pytest.raises(JobError) as error:
        submit_job(settings, "training", "7", FUNCTIONS + "count", {})
    assert time.monotonic() - started < 30
    [job] = store.list_jobs()
    assert str(error.value).startswith(
        f"the Redis of QUEUE_URL=redis://127.0.0.1:{port}/0 cannot be reached"
    )
    assert f"job {job.id} is kept" in str(error.value)
    assert job.state is JobState.waiting
    assert "cannot be reached" in job.message
    with store.lock():
        store.change(job, submitted=store.file_time() - 61)
    assert reconcile(settings) == []  # still not: it is logged, and the job waits on
    with pytest.raises(SettingError, match="cannot be reached"):
        serve_queues(settings)
    plain = settings.model_copy(update={"queue_url": f"redis://127.0.0.1:{port}/0"})
    server = start_redis(port, tmp_path)
    try:
        [queued] = reconcile(plain)
        assert queue_state(plain, queued) == "queued"
    finally:
        server.terminate()
        server.wait()


def test_a_job_lost_from_redis_is_queued_again(settings: Settings, store: JobStore) -> None:
    job = submit_job(settings, "training", "7", FUNCTIONS + "count", {})
    connect(settings).flushdb()  # such as a Redis that was restarted
    assert reconcile(settings) == []  # it may still be on its way
    with store.lock():
        store.change(job, submitted=store.file_time() - 61)
    [again] = reconcile(settings)
    assert again.message == "it was lost from the queue prelabel-cpu: it is put there again"
    assert queue_state(settings, again) == "queued"
    with store.lock():
        store.change(again, submitted=store.file_time() - 61)
    assert reconcile(settings) == []  # it waits where it belongs


def test_a_worker_without_the_folder_of_the_server_says_so(
    settings: Settings, store: JobStore, work: Work, tmp_path: Path
) -> None:
    job = submit_job(settings, "training", "7", FUNCTIONS + "count", {})
    os.waitpid(work("cpu", train_dir=tmp_path / "elsewhere"), 0)
    out = (tmp_path / "worker.log").read_text()
    assert f"job {job.id} of the queue is not in TRAIN_DIR={tmp_path}/elsewhere" in out
    with store.lock():
        store.change(job, submitted=store.file_time() - 61)
    [failed] = reconcile(settings)
    assert failed.state is JobState.failed
    assert failed.message == (
        "the worker of the queue prelabel-cpu could not start it: see what it printed"
    )


@pytest.mark.parametrize(
    ("device", "queues"),
    [
        ("cuda:0", ["prelabel-cuda:0", "prelabel-auto"]),
        ("cpu", ["prelabel-cpu", "prelabel-auto"]),
        ("auto", ["prelabel-cpu", "prelabel-auto"]),
    ],
)
def test_queues_of_a_device(device: str, queues: list[str]) -> None:
    assert served_queues(device) == queues


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost"])
def test_another_address_is_no_redis(tmp_path: Path, url: str) -> None:
    settings = Settings(train_dir=tmp_path, queue_url=url)
    with pytest.raises(SettingError, match=r"QUEUE_URL=.*: expected a Redis"):
        submit_job(settings, "training", "7", FUNCTIONS + "count", {})


def test_a_queued_job_without_queue_is_not_run_here(
    settings: Settings, store: JobStore, tmp_path: Path
) -> None:
    job = submit_job(settings, "training", "7", FUNCTIONS + "count", {})
    with store.lock():
        store.change(job, submitted=store.file_time() - 61)
    assert reconcile(Settings(train_dir=tmp_path / "training")) == []
    assert store.find(job.id).state is JobState.waiting
