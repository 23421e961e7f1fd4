"""Recent failures, with their messages, and the counts of all of them."""

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

from shared.errors import PrelabelError, truncate
from shared.label_studio.import_file import DROPPED_PREFIX

logger = logging.getLogger(__name__)

# Characters of a message that are kept.
MAX_MESSAGE_LENGTH = 600


@dataclass(frozen=True)
class Failure:
    """A task, or a region of it, that got no prediction."""

    time: float
    backend: str
    reason: str
    cause: str
    task: Any
    message: str


class FailureLog:
    """Counts failures by backend and reason, and keeps the last hundred."""

    def __init__(self, keep: int = 100) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._recent: deque[Failure] = deque(maxlen=keep)
        self._lock = threading.Lock()

    def record_task(self, backend: str, task: Any, error: PrelabelError) -> None:
        """Record a task that got no prediction, or less than it should."""
        self._add(backend, error.reason, task, str(error), "%s", error.cause)

    def record_dropped_region(self, backend: str, task: Any, rule: str, message: str) -> None:
        """Record a region that was dropped because Label Studio would not show it."""
        self._add(backend, DROPPED_PREFIX + rule, task, message, "region left out: %s")

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of failures by backend and reason."""
        with self._lock:
            return dict(self._counts)

    def recent(self) -> list[dict[str, Any]]:
        """Return the last failures, newest first."""
        with self._lock:
            return [asdict(failure) for failure in reversed(self._recent)]

    def _add(
        self, backend: str, reason: str, task: Any, message: str, words: str, cause: str = ""
    ) -> None:
        number = task if task is None or isinstance(task, int) else truncate(str(task), 40)
        message = truncate(message, MAX_MESSAGE_LENGTH)
        with self._lock:
            self._counts[backend, reason] += 1
            self._recent.append(
                Failure(time.time(), backend, reason, cause or reason, number, message)
            )
        logger.warning(f"Task %s: %s: {words}", number, backend, message)
