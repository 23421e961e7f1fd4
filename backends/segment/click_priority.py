"""Who clicks goes first: bulk work on the same model pauses between its steps, and gives way."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

# Bulk work begins a step so long after a click: who clicks quickly finds the processor free.
QUIET_SECONDS = 0.05
# It pauses at most so long before each step, so that it ends however much is clicked.
MAX_PAUSE_SECONDS = 1.0
# Users count as there for so long after a click.
PRESENCE_SECONDS = 30.0


class ClickPriority:
    """Counts the clicks that are being answered. Used by several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._last_click = -PRESENCE_SECONDS

    @contextmanager
    def answer_click(self) -> Iterator[None]:
        """Keep bulk work from beginning a step during the block."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._last_click = time.monotonic()
                self._changed.notify_all()

    def let_clicks_pass(self) -> None:
        """Wait until no click is being answered: called before each step of bulk work."""
        latest = time.monotonic() + MAX_PAUSE_SECONDS
        with self._changed:
            while (seconds := min(self._busy_seconds(), latest - time.monotonic())) > 0:
                self._changed.wait(seconds)

    def has_users(self) -> bool:
        """Return whether somebody clicks now, or has lately."""
        with self._changed:
            return self._running > 0 or time.monotonic() - self._last_click < PRESENCE_SECONDS

    def _busy_seconds(self) -> float:
        """Return for how long clicks are expected to go on; 0 or less if there are none."""
        if self._running:
            return MAX_PAUSE_SECONDS
        return self._last_click + QUIET_SECONDS - time.monotonic()


class YieldingThread:
    """A thread that leaves its core to whoever else in this process wants it.

    On Linux a thread has a priority of its own, which it may not get back: so this one is used for
    nothing else. Its core counts as free, unlike that of a thread that is only nice: what a click
    wakes is put there at once.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "segment in bulk", _give_way)

    def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, once it has had its turn."""
        return self._pool.submit(work).result()


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process's
        with suppress(OSError):  # refused by a sandbox
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
