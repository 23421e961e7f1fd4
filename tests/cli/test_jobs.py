"""`prelabel jobs` and `prelabel worker`."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from shared.cli.job_table import describe_job
from shared.jobs.ending import Ending
from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.jobs.process_name import ProcessName
from shared.jobs.submit import submit_job
from shared.settings import Settings

from ..jobs.conftest import FUNCTIONS, wait_for
from .conftest import Command, start


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    return JobStore(tmp_path / "training")


def running(store: JobStore, key: str) -> Job:
    """Return a job that runs, in this process."""
    job = store.create("training", key, FUNCTIONS + "count", {})
    name = str(ProcessName.of(os.getpid()))
    with store.lock():
        changes = {"state": JobState.running, "attempts": 1, "process": name, "pid": os.getpid()}
        return store.change(job, started="2026-11-28T18:00:00.000+00:00", **changes)


def ended(store: JobStore, key: str, state: JobState, message: str) -> Job:
    job = running(store, key)
    with store.lock():
        return store.end(job, Ending(state, message, result={"v": 1}))


def test_no_jobs(prelabel: Command, store: JobStore) -> None:
    ran = prelabel("jobs")
    assert (ran.status, ran.out) == (0, f"there are no jobs in TRAIN_DIR={store.train_dir}\n")
    assert not store.train_dir.exists()


def test_table_of_jobs(prelabel: Command, store: JobStore) -> None:
    failed = ended(store, "6.1", JobState.failed, "there are no [bold]annotations\x1b[2J")
    runs = running(store, "7.1")
    progress = {"epoch": 3, "epochs": 20, "loss": 0.12345, "remaining_seconds": 200}
    store.folder(runs.id).write_progress(1, progress, "trains label")
    waits = store.create("training", "8.1", FUNCTIONS + "count", {})
    rows = [line.split() for line in prelabel("jobs").out.splitlines() if "training" in line]
    assert [row[:4] for row in rows] == [
        [waits.id, "training", "8.1", "waiting"],
        [runs.id, "training", "7.1", "running"],
        [failed.id, "training", "6.1", "failed"],
    ]
    text = " ".join(prelabel("jobs").out.split())
    assert "epoch 3 of 20, loss 0.123" in text
    assert "3 min 20 s trains label" in text  # 200 seconds are left
    assert "there are no [bold]annotations\\x1b[2J" in text


def test_what_stage_a_job_is_in_and_what_became_of_it(prelabel: Command, store: JobStore) -> None:
    """The stage is shown until there are epochs, and nothing of it once the message says all."""
    job = running(store, "7.1")
    progress = {"stage": "dataset: write", "control": "topic", "tasks": 63}
    store.folder(job.id).write_progress(1, progress, 'trains Choices "topic"')
    line = f'{job.id} running: trains Choices "topic", dataset: write, tasks 63'
    assert describe_job(store.find(job.id)) == line
    with store.lock():
        failed = store.end(store.find(job.id), Ending(JobState.failed, "there are no annotations"))
    assert re.fullmatch(rf"{job.id} failed in .+: there are no annotations", describe_job(failed))


def test_one_job(prelabel: Command, store: JobStore) -> None:
    job = ended(store, "7.1", JobState.done, "v3 serves")
    out = prelabel("jobs", job.id).out
    assert re.search(rf"^id +{job.id}$", out, re.MULTILINE)
    assert re.search(r"^state +done$", out, re.MULTILINE)
    assert re.search(r"^result +\{'v': 1\}$", out, re.MULTILINE)
    assert re.search(rf"^log +{store.train_dir}/jobs/{job.id}/log.txt$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nine"], 'there is no job "nine"; the latest are ', id="unknown"),
        pytest.param(["cancel", "nine"], 'there is no job "nine"; the latest are ', id="cancel"),
        pytest.param(["cancel"], "expected cancel ID", id="cancel-nothing"),
        pytest.param(["1", "2"], "expected one ID, or cancel ID", id="two"),
        pytest.param(["--follow", "nine"], 'there is no job "nine"', id="follow"),
    ],
)
def test_unknown_jobs_are_said(
    prelabel: Command, store: JobStore, arguments: list[str], message: str
) -> None:
    running(store, "7.1")
    ran = prelabel("jobs", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_cancel(prelabel: Command, store: JobStore) -> None:
    runs = running(store, "7.1")
    waits = store.create("training", "7.1", FUNCTIONS + "count", {})
    assert prelabel("jobs", "cancel", waits.id).out == f"{waits.id} is cancelled\n"
    again = prelabel("jobs", "cancel", waits.id)
    assert again.out == f"{waits.id} has ended already: cancelled\n"
    being = prelabel("jobs", "cancel", runs.id)
    assert being.out == f"{runs.id} is being cancelled: it ends at its next report\n"
    assert store.folder(runs.id).is_cancelled


def test_follow_shows_the_progress_to_the_end(prelabel: Command, store: JobStore) -> None:
    settings = Settings(train_dir=store.train_dir)
    arguments = {"steps": 3, "seconds": 0.6}
    job = submit_job(settings, "training", "7.1", FUNCTIONS + "count", arguments)
    ran = prelabel("jobs", "--follow", job.id)
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert any(f"{job.id} running: epoch 2 of 3, 67 %" in line for line in lines)
    assert re.fullmatch(rf"{job.id} done in \d+ s: epoch 3 of 3, 100 %", lines[-1])
    assert prelabel("jobs", "-f").out.count(job.id) == 1


def test_follow_of_all_shows_each_change_in_a_pipe(prelabel: Command, store: JobStore) -> None:
    settings = Settings(train_dir=store.train_dir)
    arguments = {"steps": 3, "seconds": 0.6}
    job = submit_job(settings, "training", "7.1", FUNCTIONS + "count", arguments)
    ran = prelabel("jobs", "--follow")
    assert ran.status == 0
    lines = [line for line in ran.out.splitlines() if line.startswith(f"{job.id} running: epoch")]
    assert len(lines) == len(set(lines)) >= 2


def test_follow_has_the_status_of_the_job(prelabel: Command, store: JobStore) -> None:
    job = ended(store, "7.1", JobState.failed, "there are no annotations")
    ran = prelabel("jobs", job.id, "--follow")
    assert ran.status == 1
    assert ran.out.endswith(": there are no annotations\n")


def test_who_follows_a_killed_job_starts_it_again(prelabel: Command, store: JobStore) -> None:
    settings = Settings(train_dir=store.train_dir)
    job = submit_job(settings, "training", "7.1", FUNCTIONS + "count", {"steps": 3, "seconds": 0.4})
    os.kill(wait_for(store, job, JobState.running).pid or 0, signal.SIGKILL)
    ran = prelabel("jobs", "--follow", job.id)
    assert ran.status == 0
    assert store.find(job.id).attempts == 2


def test_ctrl_c_lets_the_job_go_on(store: JobStore, tmp_path: Path) -> None:
    settings = Settings(train_dir=store.train_dir)
    arguments = {"steps": 1000, "seconds": 0.05}
    job = submit_job(settings, "training", "7.1", FUNCTIONS + "count", arguments)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    follower = start(tmp_path, "jobs", "--follow", job.id, **pipes)
    assert follower.stdout is not None
    assert job.id.encode() in follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    out, _ = follower.communicate()
    assert follower.returncode == 130
    assert f"{job.id} goes on" in out.decode()
    assert not wait_for(store, job, JobState.running).is_finished
    store.cancel(job.id)
    wait_for(store, job, JobState.cancelled)


def test_a_worker_needs_a_queue(prelabel: Command) -> None:
    ran = prelabel("worker")
    assert ran.status == 2
    assert "QUEUE_URL is not set: expected a Redis, e.g. redis://host:6379/0" in ran.err
