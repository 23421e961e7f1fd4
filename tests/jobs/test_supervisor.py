"""A job in its process, from waiting to its end, whichever."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shared.jobs import death, supervisor
from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore

from .conftest import child_of, create, wait_for, wait_until

# Its forks have none of the threads and signal handlers of other tests.
pytestmark = pytest.mark.own_process
Fork = Callable[[Job], int]


def test_a_job_is_done_with_its_result_and_last_progress(store: JobStore, fork: Fork) -> None:
    job = create(store, "count", steps=4)
    assert job.state is JobState.waiting
    pid = fork(job)
    done = wait_for(store, job, JobState.done)
    assert done.result == {"steps": 4, "attempt": 1}
    assert done.progress == {"epoch": 4, "epochs": 4, "fraction": 1.0}
    assert (done.pid, done.attempts, done.message) == (pid, 1, "")
    assert done.created <= done.started <= done.finished
    assert 0 < (done.seconds or 0) < 300
    os.waitpid(pid, 0)
    # Only what tells of the job stays: no scratch, no room kept for its end.
    assert sorted(os.listdir(store.folder(job.id).path)) == ["job.json", "log.txt"]


@pytest.mark.parametrize(
    ("function", "how", "message", "in_log"),
    [
        pytest.param(
            "fail",
            "sentence",
            "there are no annotations: annotate some tasks first",
            "PrelabelError",
            id="our-sentence",
        ),
        pytest.param(
            "fail",
            "bug",
            "it failed with KeyError (the log has the details)",
            "secret detail of our code",
            id="any-error",
        ),
        pytest.param(
            "fail",
            "exit",
            "it failed with SystemExit (the log has the details)",
            "SystemExit: 3",
            id="sys-exit",
        ),
        pytest.param(
            "fail", "end", "its process ended with status 4 (the log has the details)", "", id="end"
        ),
        pytest.param(
            "fail",
            "disk",
            "the disk of TRAIN_DIR is full: free some room, and start it again",
            "No space left",
            id="full-disk",
        ),
        pytest.param(
            "fail",
            "list",
            "tests.jobs.functions:fail returned no mapping",
            "",
            id="wrong-result",
        ),
        pytest.param(
            "unknown",
            "",
            "the job's function tests.jobs.functions:unknown cannot be imported: module"
            " 'tests.jobs.functions' has no attribute 'unknown'",
            "",
            id="no-function",
        ),
    ],
)
def test_a_failed_job_says_why_in_one_sentence(
    store: JobStore, fork: Fork, function: str, how: str, message: str, in_log: str
) -> None:
    job = create(store, function, how=how)
    fork(job)
    failed = wait_for(store, job, JobState.failed)
    assert failed.message == message
    assert failed.result is None
    assert failed.attempts == 1
    assert in_log in store.folder(job.id).log.read_text()
    assert "Traceback" not in json.dumps(failed.to_json())


def test_a_killed_attempt_is_made_again_and_starts_anew(store: JobStore, fork: Fork) -> None:
    job = create(store, "kill_itself", times=1)
    fork(job)
    done = wait_for(store, job, JobState.done)
    assert done.result == {"attempt": 2}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda n: n.name)
def test_a_job_that_is_killed_twice_has_failed(
    store: JobStore, fork: Fork, number: signal.Signals
) -> None:
    job = create(store, "kill_itself", times=9, signal=number)
    fork(job)
    failed = wait_for(store, job, JobState.failed)
    assert failed.attempts == 2
    # A crash leaves where it happened.
    in_log = "in kill_itself" in store.folder(job.id).log.read_text()
    assert in_log is (number is signal.SIGSEGV)
    assert failed.message == (
        f"its process was killed ({number.name}) in 2 attempts"
        " (the log has what it said until then)"
    )


def test_memory_that_runs_out_gives_a_second_attempt(store: JobStore, fork: Fork) -> None:
    jobs = [create(store, "run_out_of_memory", times=times) for times in (1, 2)]
    for job in jobs:
        fork(job)
    assert wait_for(store, jobs[0], JobState.done).result == {"attempt": 2}
    failed = wait_for(store, jobs[1], JobState.failed)
    assert failed.message == (
        "the memory ran out in 2 attempts: free some, use a smaller model or smaller inputs, or a"
        " machine with more"
    )
    assert "MemoryError" in store.folder(jobs[1].id).log.read_text()


def test_a_job_that_the_kernel_ended_for_its_memory_says_so(
    store: JobStore, fork: Fork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel's own counter stands still: memory that really runs out ends any process here.
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 1000\noom_kill 3\n")
    monkeypatch.setattr(death, "_VMSTAT", vmstat)
    job = create(store, "be_killed_for_memory", vmstat=str(vmstat))
    fork(job)
    failed = wait_for(store, job, JobState.failed)
    assert failed.message.startswith("the memory ran out in 2 attempts: ")
    assert vmstat.read_text().endswith("oom_kill 5\n")


def test_the_child_dies_with_who_watches_over_it(store: JobStore, fork: Fork) -> None:
    job = create(store, "sleep_for_ever")
    pid = fork(job)
    wait_for(store, job, JobState.running)
    child = child_of(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    child.wait(60)
    seen = store.find(job.id)
    assert (seen.state, seen.message) == (JobState.interrupted, "its process was killed")


def test_a_process_told_to_stop_leaves_the_job_to_be_started_again(
    store: JobStore, fork: Fork
) -> None:
    job = create(store, "count", steps=300, seconds=0.01)
    for attempt in (1, 1, 1):  # the machine was shut down in order: no attempt is lost
        pid = fork(job)
        assert wait_for(store, job, JobState.running).attempts == attempt
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        stopped = store.find(job.id)
        assert (stopped.state, stopped.attempts) == (JobState.interrupted, 0)
        assert stopped.message == "its process was told to stop"


def test_a_cancelled_job_ends_at_its_next_report(store: JobStore, fork: Fork) -> None:
    job = create(store, "count", steps=10_000)
    pid = fork(job)
    wait_until(lambda: store.find(job.id).progress)
    assert store.cancel(job.id).state is JobState.running
    cancelled = wait_for(store, job, JobState.cancelled)
    assert cancelled.message == "cancelled while it ran"
    assert cancelled.progress["epoch"] > 0
    os.waitpid(pid, 0)
    assert not store.folder(job.id).work.exists()


@pytest.mark.parametrize("deaf", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_a_cancelled_job_that_does_not_report_is_ended(
    store: JobStore, fork: Fork, deaf: bool
) -> None:
    job = create(store, "sleep_for_ever", deaf=deaf)
    pid = fork(job)
    folder = store.folder(job.id)
    wait_until((folder.path / "asleep").exists)
    child = child_of(pid)
    started = time.monotonic()
    store.cancel(job.id)
    wait_for(store, job, JobState.cancelled)
    # SIGTERM after 0.4 s, which lets the function clean up; SIGKILL 0.4 s later
    assert (folder.path / "cleaned").exists() is not deaf
    assert time.monotonic() - started >= (0.8 if deaf else 0.4)
    child.wait(60)


def test_a_cancelled_job_that_waits_never_starts(store: JobStore, fork: Fork) -> None:
    runs, waits = create(store, "sleep_for_ever"), create(store, "count")
    fork(runs)
    wait_for(store, runs, JobState.running)
    pid = fork(waits)
    wait_until(lambda: store.find(waits.id).message == "it waits for other jobs on the device cpu")
    assert store.find(waits.id).pid == pid
    assert store.cancel(waits.id).state is JobState.cancelled
    os.waitpid(pid, 0)  # its process ends, too
    assert (store.find(waits.id).attempts, store.find(waits.id).seconds) == (0, None)


def test_one_job_at_a_time_on_a_device_the_oldest_first(
    store: JobStore, fork: Fork, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    arguments = {"trace": str(trace), "steps": 4, "seconds": 0.03}
    jobs = [create(store, "count", **arguments) for _ in range(5)]
    for job in reversed(jobs):  # the youngest comes first
        fork(job)
    for job in jobs:
        wait_for(store, job, JobState.done)
    order = [line.split()[0] for line in trace.read_text().splitlines()]
    assert order == [job.id for job in jobs for _ in range(2)]  # start and end of each in turn


def test_devices_work_side_by_side(store: JobStore, fork: Fork) -> None:
    on_gpu = create(store, "sleep_for_ever", "cuda:0")
    fork(on_gpu)
    wait_for(store, on_gpu, JobState.running)
    on_cpu = create(store, "count")
    fork(on_cpu)
    wait_for(store, on_cpu, JobState.done)
    assert store.find(on_gpu.id).state is JobState.running


def test_a_job_is_run_by_one_process_only(store: JobStore, fork: Fork) -> None:
    job = create(store, "sleep_for_ever")
    first = fork(job)
    wait_for(store, job, JobState.running)
    second = fork(job)
    os.waitpid(second, 0)
    assert store.find(job.id).pid == first
    assert psutil.pid_exists(first)


def test_a_dead_process_that_waited_does_not_keep_others_waiting(
    store: JobStore, fork: Fork
) -> None:
    dead, younger = create(store, "count"), create(store, "count")
    with store.lock():  # as a process left it that was killed while it waited: its id is ours now
        store.change(dead, pid=os.getpid(), process=f"{'x' * 12}/elsewhere-1/1")
    fork(younger)
    wait_for(store, younger, JobState.done)
    assert store.find(dead.id).state is JobState.waiting


def test_a_job_that_just_came_goes_before_a_younger_one(store: JobStore, fork: Fork) -> None:
    older, younger = create(store, "count"), create(store, "count")
    fork(younger)
    wait_until(lambda: store.find(younger.id).pid)
    time.sleep(0.2)  # the older one's process is still being started
    assert store.find(younger.id).state is JobState.waiting
    fork(older)
    first, second = (wait_for(store, job, JobState.done) for job in (older, younger))
    assert first.finished <= second.started


def test_no_scratch_of_a_killed_attempt_is_found(
    store: JobStore, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    job = create(store, "describe_process")
    folder = store.folder(job.id)
    folder.work.mkdir()
    (folder.work / "half a dataset").touch()
    with store.lock():
        store.change(job, attempts=1, state=JobState.interrupted)
    fork(job)
    done = wait_for(store, job, JobState.done)
    assert done.result is not None
    assert done.result["folder"] == []
    assert done.attempts == 2


@pytest.mark.skipif(not psutil.LINUX, reason="the priority of sessions is Linux's")
def test_the_function_has_a_low_priority_and_the_watcher_has_not(
    store: JobStore, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("TRAIN_NICENESS")
    job = create(store, "describe_process")
    pid = fork(job)
    result = wait_for(store, job, JobState.done).result or {}
    assert (result["nice"], result["ionice"]) == (10, 3)  # 3 is IOPRIO_CLASS_IDLE
    assert result["session"] not in {pid, os.getsid(0)}
    if result["autogroup"]:
        assert re.fullmatch(r"/autogroup-\d+ nice 10\n", result["autogroup"])


@pytest.mark.parametrize("how", ["taken", "removed"])
def test_a_process_that_has_lost_its_job_ends(
    store: JobStore, fork: Fork, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It was silent for too long, as a machine that slept is; or its folder was removed."""
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.1)
    job = create(store, "sleep_for_ever")
    pid = fork(job)
    wait_until((store.folder(job.id).path / "asleep").exists)
    child = child_of(pid)
    if how == "removed":
        shutil.rmtree(store.path)
    else:
        with store.lock():
            taken = store.change(store.find(job.id), process="another/machine/1", attempts=2)
    os.waitpid(pid, 0)
    child.wait(60)
    if how == "taken":
        assert store.find(job.id) == taken
    else:
        assert not store.folder(job.id).path.exists()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")
def test_a_busy_processor_is_left_to_others(
    store: JobStore, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRAIN_NICENESS")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # the job and the other one share a core
    try:
        job = create(store, "compute", seconds=2.0)
        fork(job)
        wait_until((store.folder(job.id).path / "begun").exists)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    finally:
        os.sched_setaffinity(0, cores)
    result = wait_for(store, job, JobState.done).result or {}
    others = psutil.Process(busy.pid).cpu_times().user
    busy.kill()
    busy.wait()
    # By their weights 110 and 1024 (niceness 10 and 0) the job gets 10 %; the other one, which came
    # a little later, is not yet busy in the beginning. Without the priority it would be 50 %.
    assert result["cpu_seconds"] / (result["cpu_seconds"] + others) < 0.35
