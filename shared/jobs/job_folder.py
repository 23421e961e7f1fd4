"""The folder of one job: TRAIN_DIR/jobs/ID.

job.json        the job; replaced as a whole, by who holds the lock of the store
progress.json   what its function reported last, written by its process alone
ending.json     how its function ended, until job.json says so
log.txt         what it and its libraries print
cancel          is there when the job is to end
heartbeat       is touched while a process has the job
reserve         room for the end of the job on a full disk
work/           scratch, removed at the end
"""

import errno
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from shared.jobs.job import Job, JobState, parse_time
from shared.jobs.json_file import read_json, write_json

logger = logging.getLogger(__name__)

JOB_FILE, PROGRESS_FILE, LOG_FILE = "job.json", "progress.json", "log.txt"
RESERVE_BYTES = 64 * 1024
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FIELDS = frozenset(one.name for one in fields(Job))
# The types of what is no text in job.json.
_TYPES: dict[str, tuple[type, ...]] = {
    "arguments": (dict,),
    "submitted": (int, float),
    "pid": (int, type(None)),
    "attempts": (int,),
    "progress": (dict,),
    "result": (dict, type(None)),
}


class JobFolder:
    """Reads and writes the files of a job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / LOG_FILE
        self.work = path / "work"
        self._job = path / JOB_FILE
        self._progress = path / PROGRESS_FILE
        self._ending = path / "ending.json"
        self._cancel = path / "cancel"
        self._heartbeat = path / "heartbeat"
        self._reserve = path / "reserve"

    def fill(self, job: Job) -> None:
        """Write the files of a new job."""
        self.path.mkdir()
        self._reserve.write_bytes(b"\0" * RESERVE_BYTES)
        self._heartbeat.touch()
        self.log.touch()
        self.write(job)

    def read(self) -> Job | None:
        """Return the job, with its latest progress if it runs; None if there is none to read."""
        found = read_json(self._job)
        if found is None:
            return None
        try:
            job = _parse_job(found, self.path.name)
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("job %s cannot be read: %s", self.path.name, error)
            return None
        return self._with_progress(job) if job.state is JobState.running else job

    def write(self, job: Job) -> None:
        """Replace job.json; on a full disk in the room that was kept for it."""
        self._write(self._job, asdict(job))

    def write_ending(self, ending: dict[str, Any]) -> None:
        """Replace ending.json; on a full disk in the room that was kept for it."""
        self._write(self._ending, ending)

    def read_ending(self) -> dict[str, Any] | None:
        """Return what `write_ending` wrote; None if it did not."""
        return read_json(self._ending)

    def write_progress(self, attempt: int, progress: dict[str, Any], message: str) -> None:
        """Replace progress.json; OSError on a full disk."""
        content = {"attempt": attempt, "progress": progress, "message": message}
        write_json(self._progress, content, durable=False)

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is to end."""
        return self._cancel.exists()

    @property
    def seconds_since_cancel(self) -> float:
        """How long ago the job was cancelled; 0 if it was not."""
        return _age(self._cancel, time.time())

    def request_cancel(self) -> None:
        """Let the job end. An empty file needs no room on the disk."""
        self._cancel.touch()

    def beat(self) -> None:
        """Say that a process has the job."""
        self._heartbeat.touch()

    def silent_seconds(self, file_time: float) -> float:
        """Return how long no process said that it has the job; `file_time` as files have it."""
        return _age(self._heartbeat, file_time)

    def clear_work(self) -> Path:
        """Return the scratch folder, empty."""
        self.remove_work()
        self.work.mkdir(exist_ok=True)
        return self.work

    def remove_work(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self.work, ignore_errors=True)

    def clear(self) -> None:
        """Remove what a finished job does not need."""
        self.remove_work()
        half_written = self.path.glob("*.new")
        files = (self._reserve, self._progress, self._ending, self._cancel, *half_written)
        for file in (*files, self._heartbeat):
            file.unlink(missing_ok=True)

    @property
    def is_clear(self) -> bool:
        """Whether `clear` came to its end."""
        return not self._heartbeat.exists()

    def _write(self, file: Path, content: Any) -> None:
        try:
            write_json(file, content)
        except OSError as error:
            if error.errno not in DISK_FULL or not self._reserve.exists():
                raise
            self._reserve.unlink(missing_ok=True)
            write_json(file, content)

    def _with_progress(self, job: Job) -> Job:
        found = read_json(self._progress)
        if found is None or found.get("attempt") != job.attempts:
            return job
        progress, message = found.get("progress"), found.get("message")
        return replace(
            job,
            progress=progress if isinstance(progress, dict) else {},
            message=message if message and isinstance(message, str) else job.message,
        )


def _parse_job(found: Mapping[str, Any], job_id: str) -> Job:
    """Return the job of a job.json; KeyError, TypeError or ValueError for one that is damaged."""
    known = {name: value for name, value in found.items() if name in _FIELDS}
    for name, value in known.items():
        if not isinstance(value, _TYPES.get(name, str)):
            raise TypeError(f'"{name}" is of the type {type(value).__name__}')
    if known["id"] != job_id:
        raise ValueError('"id" is that of another job')
    job = Job(**{**known, "state": JobState(found["state"])})
    for time_text in filter(None, (job.created, job.started, job.finished)):
        if parse_time(time_text).tzinfo is None:
            raise ValueError(f'"{time_text}" has no time zone')
    return job


def _age(file: Path, time_now: float) -> float:
    try:
        return max(time_now - file.stat().st_mtime, 0.0)
    except FileNotFoundError:
        return 0.0
