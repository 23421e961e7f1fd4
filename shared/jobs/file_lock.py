"""Locks on files and folders: they hold between processes and servers, and end with the process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.jobs.job import JobError

# The store's lock is held for milliseconds; a process that was stopped inside it is no reason to
# hang.
LOCK_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.005


class FileLock:
    """An exclusive lock of a folder, or of a file, which is made if it is missing.

    The lock belongs to this object: two objects exclude each other within a process, too. A forked
    child shares it, so it ends with the last of both.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        flags = os.O_RDONLY if self._file.is_dir() else os.O_RDWR | os.O_CREAT
        descriptor = os.open(self._file, flags | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file inside the block; JobError if another process does not let it go."""
    lock = FileLock(file)
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise JobError(
                f"{file.name} of TRAIN_DIR has been held by another process for too long"
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
