"""Jobs on disk: created once, found, cancelled, removed."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import SettingError
from shared.jobs.context import JobContext
from shared.jobs.ending import Ending
from shared.jobs.file_lock import FileLock
from shared.jobs.job import Job, JobCancelledError, JobError, JobNotFoundError, JobState
from shared.jobs.job_folder import RESERVE_BYTES
from shared.jobs.job_store import JobStore
from shared.jobs.log_stream import Redactor
from shared.jobs.process_name import ProcessName

from .conftest import wait_until

REPO = Path(__file__).parents[2]


def create(store: JobStore, key: str = "7.1764000000", kind: str = "training") -> Job:
    return store.create(kind, key, "module:function", {"n": 1})


def set_state(store: JobStore, job: Job, state: JobState) -> Job:
    """Let a job have a state, as the processes write it; if it runs, in this process."""
    with store.lock():
        if state in {JobState.done, JobState.failed, JobState.cancelled}:
            return store.end(job, Ending(state, ""))
        name = str(ProcessName.of(os.getpid()))
        return store.change(job, state=state, pid=os.getpid(), process=name, attempts=1)


def test_ids_are_in_order_and_safe_as_folder_names(store: JobStore) -> None:
    ids = [create(store, key=str(number)).id for number in range(20)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"\d{8}-\d{6}-\d{6}", job_id) for job_id in ids)
    assert [job.id for job in store.list_jobs()] == ids


def test_ids_stay_in_order_when_the_clock_is_set_back(store: JobStore) -> None:
    first = create(store, key="1")
    later = store.folder("29991231-235959-999999").path
    store.folder(first.id).path.rename(later)
    (later / "job.json").write_text(
        (later / "job.json").read_text().replace(first.id, "29991231-235959-999999")
    )
    assert create(store, key="2").id == "30000101-000000-000000"


@pytest.mark.parametrize(
    ("states", "is_new"),
    [
        pytest.param([], True, id="none"),
        pytest.param([JobState.waiting], False, id="waiting"),
        pytest.param([JobState.running], True, id="running"),
        pytest.param([JobState.running, JobState.waiting], False, id="running-and-waiting"),
        pytest.param([JobState.done], True, id="done"),
        pytest.param([JobState.failed, JobState.cancelled], True, id="failed-and-cancelled"),
        pytest.param([JobState.interrupted], True, id="interrupted"),
    ],
)
def test_one_job_of_a_project_waits_at_most(
    store: JobStore, states: list[JobState], is_new: bool
) -> None:
    for state in states:
        job = create(store)
        if state is not JobState.waiting:
            set_state(store, job, state)
    before = {job.id for job in store.list_jobs()}
    assert (create(store).id not in before) is is_new
    # Other projects, other kinds of jobs, and others of their kind wait for themselves.
    assert create(store, key="8").id not in before
    assert create(store, kind="bulk").id not in before
    other = store.create("training", "7.1764000000", "module:function", {"controls": ["label"]})
    assert other.id not in before


CLICK = """
import sys, threading
from pathlib import Path
from shared.jobs.job_store import JobStore
store, barrier = JobStore(Path(sys.argv[1])), threading.Barrier(5)
def click():
    barrier.wait()
    sys.stdout.write(store.create("training", "7", "m:f", {}).id + "\\n")
threads = [threading.Thread(target=click) for _ in range(5)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
"""


@pytest.mark.parametrize("runs", [False, True], ids=["nothing-runs", "one-runs"])
def test_ten_clicks_in_two_processes_make_one_job(store: JobStore, runs: bool) -> None:
    running = [set_state(store, create(store, "7"), JobState.running).id] if runs else []
    command = [sys.executable, "-c", CLICK, str(store.train_dir)]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    servers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answered = [line for server in servers for line in server.communicate()[0].split()]
    assert len(answered) == 10
    assert [job.id for job in store.list_jobs()] == running + sorted(set(answered))
    assert len(set(answered)) == 1


def test_find_names_the_jobs_that_there_are(store: JobStore) -> None:
    with pytest.raises(JobNotFoundError, match='there is no job "7"; there are none'):
        store.find("7")
    ids = [create(store, key=str(number)).id for number in range(7)]
    with pytest.raises(JobNotFoundError) as error:
        store.find("20200101-000000-000000")
    assert str(error.value).endswith(f"the latest are {', '.join(ids[:1:-1])}")
    assert error.value.status == 404


@pytest.mark.parametrize("job_id", ["..", "../../etc", "", "20261128-184645-123456/..", "a\0b"])
def test_an_id_is_never_a_path(store: JobStore, job_id: str) -> None:
    create(store)
    (store.train_dir / "job.json").write_text("{}")
    with pytest.raises(JobNotFoundError):
        store.find(job_id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"path": Path("x")}, "the arguments of a job must be JSON", id="not-json"),
        pytest.param({"tasks": "x" * 2_000_000}, "have 2,000,012 bytes", id="too-large"),
    ],
)
def test_arguments_are_small_json(
    store: JobStore, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        store.create("training", "7", "m:f", arguments)
    assert store.list_jobs() == []


@pytest.mark.parametrize("content", [b"", b'{"id": "x', b"[]", b'{"state": "lost"}', b"\xff"])
def test_a_job_that_cannot_be_read_leaves_the_others(store: JobStore, content: bytes) -> None:
    broken, good = create(store, "1"), create(store, "2")
    (store.folder(broken.id).path / "job.json").write_bytes(content)
    assert store.list_jobs() == [good]
    with pytest.raises(JobNotFoundError):
        store.find(broken.id)
    assert create(store, "2") == good  # creating goes on


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ["x"]),
        ("id", "20260101-000000-000000"),
        ("key", None),
        ("started", 5),
        ("started", "yesterday"),
        ("finished", "2026-11-28T10:00:00"),
        ("process", 5),
        ("pid", "x"),
        ("submitted", "x"),
        ("attempts", "1"),
        ("progress", [1]),
        ("arguments", [1]),
        ("result", "x"),
        ("message", 7),
    ],
)
def test_a_job_with_a_wrong_field_leaves_the_others(
    name: str, value: object, store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    good, broken = create(store, "1"), create(store, "2")
    file = store.folder(broken.id).path / "job.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    assert store.list_jobs() == [good]
    assert f"job {broken.id} cannot be read: " in caplog.text
    with pytest.raises(JobNotFoundError):
        store.cancel(broken.id)
    assert create(store, "2").key == "2"


def test_a_folder_in_the_place_of_a_job_leaves_the_others(store: JobStore) -> None:
    good, broken = create(store, "1"), create(store, "2")
    file = store.folder(broken.id).path / "job.json"
    file.unlink()
    file.mkdir()
    assert store.list_jobs() == [good]


def test_an_id_of_no_time_is_no_obstacle(store: JobStore) -> None:
    job = create(store, "1")
    odd = "20269999-999999-999999"
    store.folder(job.id).path.rename(store.path / odd)
    store.folder(odd).write(replace(job, id=odd))
    assert create(store, "2").key == "2"


def test_fields_of_a_later_version_are_left_out(store: JobStore) -> None:
    job = create(store)
    file = store.folder(job.id).path / "job.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "colour": "red"}))
    assert store.find(job.id) == job


def test_a_finished_job_stays_as_it_is_when_cancelled(store: JobStore) -> None:
    done = set_state(store, create(store), JobState.done)
    assert store.cancel(done.id) == done
    assert not store.folder(done.id).is_cancelled


def test_the_oldest_finished_jobs_are_removed(store: JobStore) -> None:
    waiting = create(store, "first")
    finished = [set_state(store, create(store, str(n)), JobState.done) for n in range(4)]
    running = set_state(store, create(store, "last"), JobState.running)
    half = store.path / ".20261128-184645-123456.new"  # its creator was killed
    half.mkdir()
    store.prune(keep=2)
    assert [job.id for job in store.list_jobs()] == [
        job.id for job in (waiting, *finished[2:], running)
    ]
    assert not half.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "training").write_text("a file")
    with pytest.raises(SettingError, match=f"TRAIN_DIR={tmp_path}/training cannot be written: "):
        create(JobStore(tmp_path / "training"))


def test_nothing_is_made_by_looking(store: JobStore) -> None:
    assert store.list_jobs() == []
    assert not store.train_dir.exists()


def test_progress_is_whole_whenever_it_is_read(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    folder, seen = store.folder(job.id), set()
    is_over = threading.Event()

    def write() -> None:
        for epoch in range(500):
            folder.write_progress(1, {"epoch": epoch, "log": "x" * (epoch * 20)}, "")
        is_over.set()

    with ThreadPoolExecutor() as threads:
        writing = threads.submit(write)
        while not is_over.is_set():
            progress = store.find(job.id).progress
            if progress:
                assert len(progress["log"]) == progress["epoch"] * 20
                seen.add(progress["epoch"])
        writing.result()
    assert len(seen) > 5


def test_progress_of_an_earlier_attempt_is_not_shown(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    store.folder(job.id).write_progress(0, {"epoch": 9}, "almost done")
    assert (store.find(job.id).progress, store.find(job.id).message) == ({}, "")
    store.folder(job.id).write_progress(1, {"epoch": 1}, "again")
    assert (store.find(job.id).progress, store.find(job.id).message) == ({"epoch": 1}, "again")


@contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """Let the next write of a file find the disk full, as the kernel says it for /dev/full."""
    new = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.new")
    new.symlink_to("/dev/full")
    yield
    assert not new.exists()


def test_the_end_of_a_job_has_room_on_a_full_disk(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    path = store.folder(job.id).path
    assert (path / "reserve").stat().st_size == RESERVE_BYTES
    with full_disk(path / "job.json"), store.lock():
        store.end(job, Ending(JobState.failed, "why"))
    assert store.find(job.id).message == "why"
    assert not (path / "reserve").exists()


def test_a_full_disk_does_not_end_a_job_that_reports(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    context = JobContext(job, store.folder(job.id), Redactor({}))
    with full_disk(store.folder(job.id).path / "progress.json"):
        context.report(epoch=1)
    assert store.find(job.id).progress == {}
    context.say("the second epoch")
    assert store.find(job.id).progress == {"epoch": 1}
    assert context.message == "the second epoch; the disk of TRAIN_DIR was full at times"


def test_reports_are_merged_and_some_written(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    context = JobContext(job, store.folder(job.id), Redactor({}))
    context.report(epoch=1, loss=0.5)
    context.report(epoch=2)
    assert store.find(job.id).progress == {"epoch": 1, "loss": 0.5}  # written 0.2 s apart
    context.report(loss=None)
    assert context.progress == {"epoch": 2}
    wait_until(lambda: store.find(job.id).progress == {"epoch": 2})  # with no further report


def test_progress_is_json(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    context = JobContext(job, store.folder(job.id), Redactor({}))
    with pytest.raises(JobError, match="progress must be JSON"):
        context.report(model=object())


def test_report_raises_when_the_job_was_cancelled(store: JobStore) -> None:
    job = set_state(store, create(store), JobState.running)
    context = JobContext(job, store.folder(job.id), Redactor({}))
    context.report(epoch=1)
    assert store.cancel(job.id).state is JobState.running
    with pytest.raises(JobCancelledError):
        context.report(epoch=2)
    with pytest.raises(JobCancelledError):
        context.say("on it goes")


def test_a_lock_is_one_object_s(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


@pytest.mark.parametrize(
    ("progress", "seconds", "remaining"),
    [
        pytest.param({}, 60, None, id="unknown"),
        pytest.param({"remaining_seconds": 12}, 60, 12.0, id="said"),
        pytest.param({"fraction": 0.25}, 60, 180.0, id="a-quarter"),  # 60 / 0.25 * 0.75
        pytest.param({"fraction": 1}, 60, 0.0, id="all"),
        pytest.param({"fraction": 0}, 60, None, id="nothing"),
        pytest.param({"fraction": "much"}, 60, None, id="no-number"),
        pytest.param({"remaining_seconds": -3}, 60, 0.0, id="overdue"),
    ],
)
def test_remaining_time(
    progress: dict[str, object], seconds: float, remaining: float | None
) -> None:
    # A running job has no end; one with an end, of a known duration, stands for it.
    job = Job("1", "training", "7", "m:f", state=JobState.running, progress=progress)
    job = replace(job, started="2026-11-28T18:46:45+00:00", finished="2026-11-28T18:47:45+00:00")
    assert job.seconds == seconds
    assert job.remaining_seconds == (None if remaining is None else pytest.approx(remaining))


def test_a_job_as_json_has_no_empty_fields(store: JobStore) -> None:
    job = create(store)
    assert job.to_json() == {
        "id": job.id,
        "kind": "training",
        "key": "7.1764000000",
        "function": "module:function",
        "arguments": {"n": 1},
        "device": "cpu",
        "state": "waiting",
        "created": job.created,
        "host": job.host,
        "attempts": 0,
        "progress": {},
    }


@pytest.mark.parametrize("name", ["jobs", ""])
def test_a_file_in_the_place_of_the_folder_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / "training").mkdir(exist_ok=bool(name))
    place = tmp_path / "training" / name
    if not name:
        place.rmdir()
    place.write_text("no folder")
    with pytest.raises(JobError, match=r"is no folder: TRAIN_DIR must name a folder"):
        JobStore(tmp_path / "training").list_jobs()
