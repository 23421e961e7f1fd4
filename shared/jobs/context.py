"""What the function of a job gets."""

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import PrelabelError, truncate
from shared.jobs.ending import DISK_IS_FULL
from shared.jobs.job import Job, JobCancelledError, JobError
from shared.jobs.job_folder import DISK_FULL, JobFolder
from shared.jobs.log_stream import Redactor
from shared.settings import Settings, read_settings

logger = logging.getLogger(__name__)

# Reports that follow each other faster are written together.
REPORT_INTERVAL_SECONDS = 0.2
_MAX_MESSAGE = 1000


class JobContext:
    """A running job, as its function sees it.

    Call `report` every few seconds: it is where the job learns that it was cancelled.
    """

    def __init__(self, job: Job, folder: JobFolder, redactor: Redactor) -> None:
        self.job = job
        self.arguments: Mapping[str, Any] = job.arguments
        self._notes: list[str] = []
        self._folder = folder
        self._redactor = redactor
        self._parent = os.getppid()
        self._progress: dict[str, Any] = {}
        self._message = ""
        self._written = 0.0
        self._is_disk_full = False
        # The next report may be minutes away: a thread writes what is left of the last ones.
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Scratch: empty at the start of each attempt, removed after the job."""
        return self._folder.work

    @property
    def settings(self) -> Settings:
        """The settings of the process that runs the job."""
        settings: Settings = read_settings(Settings)
        return settings

    @property
    def progress(self) -> dict[str, Any]:
        """What was reported."""
        return dict(self._progress)

    @property
    def message(self) -> str:
        """What was said last, and what went wrong beside it."""
        return "; ".join(filter(None, (self._message, *self._notes)))

    def report(self, **progress: Any) -> None:
        """Report progress, in JSON values; what was reported before stays, None takes it back.

        `fraction` (0 to 1) or `remaining_seconds` let users see how long it will take.
        Raises JobCancelledError if the job was cancelled: let it pass.
        """
        merged = {**self._progress, **progress}
        known = {name: value for name, value in merged.items() if value is not None}
        try:
            self._progress = self._redactor.redact_json(known)
        except TypeError as error:
            raise JobError(f"progress must be JSON: {error}") from None
        self._check_cancelled()
        wait = REPORT_INTERVAL_SECONDS - (time.monotonic() - self._written)
        if wait <= 0:
            self._write()
        elif self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(wait, self._write)
            self._timer.daemon = True
            self._timer.start()

    def say(self, message: str) -> None:
        """Say in one sentence what the job does now."""
        self._message = self._redactor.redact(truncate(message, _MAX_MESSAGE))
        logger.info("%s", self._message)
        self._check_cancelled()
        self._write()

    def _check_cancelled(self) -> None:
        if self._folder.is_cancelled:
            raise JobCancelledError("cancelled")
        if os.getppid() != self._parent:  # the kernel has not ended us with it: not Linux
            signal.raise_signal(signal.SIGKILL)

    def _write(self) -> None:
        """Write the progress. A training is not to end because of a full disk here."""
        self._written = time.monotonic()
        try:
            with self._lock:
                self._folder.write_progress(self.job.attempts, self._progress, self._message)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            if not self._is_disk_full:
                logger.warning("the disk of TRAIN_DIR is full: progress cannot be written")
                self._notes.append("the disk of TRAIN_DIR was full at times")
            self._is_disk_full = True


def describe_failure(error: BaseException) -> str:
    """Return in one sentence why a job failed. No details of our code: those are for the log."""
    if isinstance(error, PrelabelError):
        return str(error)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return DISK_IS_FULL
    return f"it failed with {type(error).__name__} (the log has the details)"
