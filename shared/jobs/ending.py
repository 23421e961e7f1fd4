"""How an attempt of a job ended: written by its child, before anything else knows.

The child does not write job.json itself: of the lowest priority, it would hold the store's lock for
long on a busy machine.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.jobs.job import JobState
from shared.jobs.job_folder import DISK_FULL, JobFolder

logger = logging.getLogger(__name__)

# The exit status of an attempt that ran out of memory, and wrote no end.
OUT_OF_MEMORY_STATUS = 82
WAS_CANCELLED = "cancelled while it ran"
DISK_IS_FULL = "the disk of TRAIN_DIR is full: free some room, and start it again"
# The end of a job waits so long for room on a full disk.
FULL_DISK_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Ending:
    """The state that a job ended in, the sentence about it, its last progress and its result."""

    state: JobState
    message: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None

    def write(self, folder: JobFolder, attempt: int) -> None:
        """Keep the end of an attempt in the job's folder."""
        keep_trying(lambda: folder.write_ending({"attempt": attempt, **asdict(self)}))

    @classmethod
    def read(cls, folder: JobFolder, attempt: int) -> "Ending | None":
        """Return how an attempt ended; None if it did not come to its end."""
        found = folder.read_ending()
        if found is None or found.pop("attempt", None) != attempt:
            return None
        try:
            return cls(**{**found, "state": JobState(found["state"])})
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("the end of job %s cannot be read: %s", folder.path.name, error)
            return None


def keep_trying(write: Callable[[], None]) -> None:
    """Write the end of a job; on a full disk, as soon as there is room."""
    deadline = time.monotonic() + FULL_DISK_PATIENCE_SECONDS
    while True:
        try:
            write()
        except OSError as error:
            if error.errno not in DISK_FULL or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return
