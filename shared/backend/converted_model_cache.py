"""A cache folder that several processes share: an entry is there whole, or not at all."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.machine import machine_name

# Begins the name of a folder that is being filled; after it comes the machine that does so.
DRAFT_PREFIX = ".making-"
# When another machine's draft counts as left behind, if nothing in it has changed since: whether
# locks are seen from one machine to another depends on the file system.
FOREIGN_DRAFT_SECONDS = 86_400.0


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder that is moved to `place` at the end, or deleted if anything is raised.

    If another process was faster, its folder stays. What processes that were killed have left
    beside it is deleted.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_left_drafts(place.parent)
    made, lock = _make_draft(place.parent)
    try:
        yield made
        with suppress(OSError):  # another process was faster
            os.replace(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_left_drafts(parent: Path) -> None:
    """Delete the drafts in a folder whose process is gone: it held a lock, which ended with it."""
    for draft in parent.glob(f"{DRAFT_PREFIX}*"):
        with suppress(OSError):  # it is being filled, or somebody else has deleted it
            is_own = draft.name.startswith(_own_prefix())
            if is_own or time.time() - draft.stat().st_mtime > FOREIGN_DRAFT_SECONDS:
                lock = _lock(draft)
                shutil.rmtree(draft, ignore_errors=True)
                os.close(lock)


def _make_draft(parent: Path) -> tuple[Path, int | None]:
    """Return a new folder, and the lock that says that it is being filled.

    None where the file system has no such locks: nobody deletes a draft then.
    """
    while True:
        draft = Path(tempfile.mkdtemp(prefix=_own_prefix(), dir=parent))
        try:
            lock = _lock(draft)
        except (BlockingIOError, FileNotFoundError):  # another process takes it for one left behind
            continue
        except OSError:
            return draft, None
        if draft.exists():
            return draft, lock
        os.close(lock)


def _own_prefix() -> str:
    return f"{DRAFT_PREFIX}{machine_name()}-"


def _lock(folder: Path) -> int:
    """Lock a folder as long as what is returned is open; BlockingIOError if it is locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
