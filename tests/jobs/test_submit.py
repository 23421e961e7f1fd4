"""Jobs that a server starts: processes of their own, which outlive it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shared.jobs.job import JobState
from shared.jobs.job_store import JobStore
from shared.jobs.reconcile import reconcile
from shared.jobs.submit import submit_job
from shared.settings import Settings

from .conftest import FUNCTIONS, wait_for, wait_until

REPO = Path(__file__).parents[2]

# Clicks are one job until it runs, so its device is busy meanwhile.
SERVER = """
import sys, time
from pathlib import Path
from shared.jobs.device_turn import DeviceTurn
from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.jobs.submit import submit_job
from shared.settings import Settings
settings = Settings(train_dir=Path(sys.argv[1]))
job = "training", "7", "tests.jobs.functions:count", {"steps": 60, "seconds": 0.02}
store = JobStore(settings.train_dir)
store.path.mkdir(parents=True)
turn = DeviceTurn(store, Job("", *job, device="cpu"))
assert turn.take()
for _ in range(5):
    job_id = submit_job(settings, *job).id
turn.give_back()
print(job_id, flush=True)
time.sleep(1000)
"""


def test_a_job_gets_the_settings_of_the_server(tmp_path: Path) -> None:
    settings = Settings(train_dir=tmp_path / "training", train_threads=3, max_media_mb=7.5)
    settings = settings.model_copy(update={"basic_auth_pass": "correct horse"})
    store = JobStore(settings.train_dir)
    started = time.process_time()
    job = submit_job(settings, "training", "7", FUNCTIONS + "describe_process", {})
    assert time.process_time() - started < 0.5  # 20 ms where nothing else runs
    result = wait_for(store, job, JobState.done).result or {}
    assert (result["threads"], result["max_media_mb"], result["basic_auth_pass"]) == (
        "3",
        7.5,
        True,
    )
    assert result["train_dir"] == str(settings.train_dir)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_job_outlives_the_server(
    store: JobStore, settings: Settings, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", SERVER, str(store.train_dir)]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    [job] = [store.find(server.stdout.readline().strip())]  # five clicks are one job
    assert store.list_jobs() == [job]
    wait_for(store, job, JobState.running)
    os.killpg(server.pid, number)  # as a terminal or a service does, with all its processes
    server.communicate()
    assert reconcile(settings) == []  # a new server finds it running
    assert wait_for(store, job, JobState.done).attempts == 1


def test_a_killed_job_is_started_again_by_one_server_only(
    store: JobStore, settings: Settings
) -> None:
    job = submit_job(settings, "training", "7", FUNCTIONS + "leave_process", {})
    left = store.folder(job.id).path / "left"
    wait_until(lambda: left.exists() and left.read_text())
    orphan, first = psutil.Process(int(left.read_text())), store.find(job.id)
    assert reconcile(settings) == []
    os.kill(first.pid or 0, signal.SIGKILL)
    wait_until(lambda: store.find(job.id).state is JobState.interrupted)
    [again] = reconcile(settings)
    assert (again.id, again.state) == (job.id, JobState.interrupted)
    assert again.message == "its process was killed: it is started again"
    assert reconcile(settings) == []  # another server, a moment later
    wait_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
    second = wait_for(store, job, JobState.running)
    assert (second.attempts, second.pid == first.pid) == (2, False)
    os.kill(second.pid or 0, signal.SIGKILL)
    wait_until(lambda: store.find(job.id).state is JobState.interrupted)
    [failed] = reconcile(settings)
    assert (failed.state, failed.attempts) == (JobState.failed, 2)
    assert failed.message == (
        "its process was killed in 2 attempts (the log has what it said until then)"
    )


def test_a_job_whose_server_was_killed_before_it_started_is_started(
    store: JobStore, settings: Settings
) -> None:
    job = store.create("training", "7", FUNCTIONS + "count", {})
    assert reconcile(settings) == []  # its process may be on its way
    with store.lock():
        store.change(job, submitted=store.file_time() - 61)
    assert [one.id for one in reconcile(settings)] == [job.id]
    assert wait_for(store, job, JobState.done).attempts == 1


def test_a_job_that_ended_while_its_watcher_was_killed_is_not_repeated(
    store: JobStore, settings: Settings
) -> None:
    job = store.create("training", "7", FUNCTIONS + "count", {})
    dead = subprocess.Popen(["true"])
    dead.wait()
    with store.lock():
        store.change(job, state=JobState.running, attempts=1, pid=dead.pid, process="a/b/1")
    ending = {"attempt": 1, "state": "done", "message": "", "progress": {}, "result": {"epochs": 3}}
    store.folder(job.id).write_ending(ending)
    os.utime(store.folder(job.id).path / "heartbeat", (0, 0))
    [done] = reconcile(settings)
    assert (done.state, done.result) == (JobState.done, {"epochs": 3})


@pytest.mark.parametrize(
    ("silent_seconds", "is_dead"), [(0, False), (110, False), (130, True)], ids=str
)
def test_a_job_of_another_machine_is_dead_when_it_is_silent(
    store: JobStore, settings: Settings, silent_seconds: float, is_dead: bool
) -> None:
    job = store.create("training", "7", FUNCTIONS + "count", {})
    with store.lock():  # our own id: there it is another process
        store.change(
            job, state=JobState.running, attempts=1, pid=os.getpid(), process="other/other-1/5"
        )
    then = store.file_time() - silent_seconds
    os.utime(store.folder(job.id).path / "heartbeat", (then, then))
    assert store.find(job.id).state is JobState.running
    assert [one.id for one in reconcile(settings)] == ([job.id] if is_dead else [])
    if is_dead:
        assert wait_for(store, job, JobState.done).attempts == 2


def test_a_cancelled_job_whose_process_was_killed_is_cancelled(
    store: JobStore, settings: Settings
) -> None:
    job = submit_job(settings, "training", "7", FUNCTIONS + "sleep_for_ever", {"deaf": True})
    pid = wait_for(store, job, JobState.running).pid or 0
    store.cancel(job.id)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: store.find(job.id).state is JobState.interrupted)
    [cancelled] = reconcile(settings)
    assert (cancelled.state, cancelled.message) == (JobState.cancelled, "cancelled while it ran")


def test_nothing_is_reconciled_where_nothing_was_trained(
    settings: Settings, store: JobStore
) -> None:
    assert reconcile(settings) == []
    assert not store.train_dir.exists()
