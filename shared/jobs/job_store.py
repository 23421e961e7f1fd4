"""The jobs below TRAIN_DIR/jobs, shared by all servers and workers that have the folder."""

import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from shared.errors import SettingError
from shared.jobs.ending import Ending
from shared.jobs.file_lock import locked
from shared.jobs.job import (
    FINISHED_STATES,
    Job,
    JobError,
    JobNotFoundError,
    JobState,
    format_time,
    now,
)
from shared.jobs.job_folder import JobFolder
from shared.jobs.process_name import ProcessName
from shared.machine import host_name

logger = logging.getLogger(__name__)

# Finished jobs that `prune` keeps.
KEPT_JOBS = 50
# A job whose process lives where it cannot be seen counts as dead after so long without a sign. A
# network disk may show the time of a file as it was a minute ago, see acregmax in nfs(5).
SILENCE_LIMIT_SECONDS = 120.0
# How long a process may take from its start until it has its job.
START_LIMIT_SECONDS = 60.0
_ID = re.compile(r"\d{8}-\d{6}-\d{6}")
_ID_FORMAT = "%Y%m%d-%H%M%S-%f"
_NAMED_IDS = 5
_MAX_ARGUMENT_BYTES = 1_000_000


class JobStore:
    """Creates, finds and changes jobs. Changes are made under one lock, from what is on disk."""

    def __init__(self, train_dir: Path) -> None:
        self.train_dir = train_dir.absolute()
        self.path = self.train_dir / "jobs"

    def create(
        self, kind: str, key: str, function: str, arguments: Mapping[str, Any], device: str = "cpu"
    ) -> Job:
        """Return a new job; or the one that waits already to do the same for this key."""
        return self.find_or_create(Job("", kind, key, function, arguments, device))[0]

    def find_or_create(self, wanted: Job) -> tuple[Job, bool]:
        """Return the waiting job that does the same, or a new one, and whether it is new.

        The same is what has an equal kind, key and arguments.
        """
        _check_arguments(wanted)
        with self.lock():
            jobs = self.list_jobs()
            for job in jobs:
                if job.state is JobState.waiting and _purpose(job) == _purpose(wanted):
                    return job, False
            return self._add(wanted, after=jobs[-1].id if jobs else ""), True

    def find(self, job_id: str) -> Job:
        """Return a job; JobNotFoundError names the latest that there are."""
        job = self.folder(job_id).read() if _ID.fullmatch(job_id) else None
        if job is not None:
            return _as_seen(job)
        latest = [job.id for job in self.list_jobs()[: -_NAMED_IDS - 1 : -1]]
        there_are = f"the latest are {', '.join(latest)}" if latest else "there are none"
        raise JobNotFoundError(f'there is no job "{job_id[:40]}"; {there_are}')

    def list_jobs(self) -> list[Job]:
        """Return the jobs in the order of their creation. One that cannot be read is left out."""
        return [_as_seen(job) for job in (folder.read() for folder in self._folders()) if job]

    def cancel(self, job_id: str) -> Job:
        """End a job: at once if it waits, else at its next report, or by force if it has none.

        A finished one stays as it is.
        """
        with self.lock():
            job = self.find(job_id)
            if job.is_finished:
                return job
            if not job.is_waiting:
                self.folder(job.id).request_cancel()
                return job
            ended = self.end(job, Ending(JobState.cancelled, "cancelled while it waited"))
        self.folder(job.id).clear()
        return ended

    def prune(self, keep: int = KEPT_JOBS) -> None:
        """Remove the oldest finished jobs, and what a killed process has left of creating one."""
        with self.lock():
            finished = [job for job in self.list_jobs() if job.state in FINISHED_STATES]
            for job in finished[: -keep or None]:
                shutil.rmtree(self.folder(job.id).path, ignore_errors=True)
            for left in self.path.glob(".*.new"):
                shutil.rmtree(left, ignore_errors=True)

    def folder(self, job_id: str) -> JobFolder:
        """Return the folder of a job."""
        return JobFolder(self.path / job_id)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock under which jobs change; SettingError if TRAIN_DIR cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path / ".lock"):
                yield
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise SettingError(
                f"TRAIN_DIR={self.train_dir} cannot be written: {error.strerror}"
            ) from None

    def change(self, job: Job, **changes: Any) -> Job:
        """Write a job with changed fields. The lock is to be held."""
        changed = replace(job, **changes)
        self.folder(job.id).write(changed)
        return changed

    def end(self, job: Job, ending: Ending) -> Job:
        """Write the end of a job. The lock is to be held, and `clear` of its folder to follow."""
        changes = {**vars(ending), "progress": ending.progress or job.progress}
        return self.change(job, finished=format_time(now()), **changes)

    def file_time(self) -> float:
        """Return the time as the file system has it, which may be another machine's."""
        clock = self.path / ".clock"
        clock.touch()
        return clock.stat().st_mtime

    def _folders(self) -> Iterator[JobFolder]:
        try:
            names = sorted(path.name for path in self.path.iterdir() if _ID.fullmatch(path.name))
        except FileNotFoundError:
            return iter(())
        except NotADirectoryError:
            raise JobError(f"{self.path} is no folder: TRAIN_DIR must name a folder") from None
        return (self.folder(name) for name in names)

    def _add(self, wanted: Job, after: str) -> Job:
        created = now()
        if (last := _read_id(after)) is not None and last >= created.replace(tzinfo=None):
            created = (last + timedelta(microseconds=1)).replace(tzinfo=created.tzinfo)
        job = replace(
            wanted,
            id=created.strftime(_ID_FORMAT),
            created=format_time(created),
            submitted=self.file_time(),
            host=host_name(),
        )
        new = JobFolder(self.path / f".{job.id}.new")
        try:
            new.fill(job)
            new.path.rename(self.path / job.id)
        except OSError as error:
            shutil.rmtree(new.path, ignore_errors=True)
            raise JobError(f"the job cannot be written to TRAIN_DIR: {error.strerror}") from None
        return job


def has_live_process(job: Job, store: JobStore, file_time: float) -> bool:
    """Return whether a process has the job, as far as can be said from here."""
    name = ProcessName.parse(job.process)
    if job.pid is None or name is None:
        return False
    if name.is_here:
        return ProcessName.of(job.pid) == name
    return store.folder(job.id).silent_seconds(file_time) < SILENCE_LIMIT_SECONDS


def _as_seen(job: Job) -> Job:
    """Return a job that runs on this machine, says its file, as interrupted if that is not so."""
    name = ProcessName.parse(job.process)
    if job.state is not JobState.running or job.pid is None or name is None or not name.is_here:
        return job
    if ProcessName.of(job.pid) == name:
        return job
    return replace(job, state=JobState.interrupted, message="its process was killed")


def _read_id(job_id: str) -> datetime | None:
    """Return when a job was created; None for an id that no clock has given."""
    try:
        return datetime.strptime(job_id, _ID_FORMAT)
    except ValueError:
        return None


def _purpose(job: Job) -> tuple[Any, ...]:
    return job.kind, job.key, job.function, job.arguments


def _check_arguments(job: Job) -> None:
    try:
        size = len(orjson.dumps(job.arguments))
    except TypeError as error:
        raise JobError(f"the arguments of a job must be JSON: {error}") from None
    if size > _MAX_ARGUMENT_BYTES:
        raise JobError(f"the arguments of a job have {size:,} bytes; put them into a file")
