"""Turns of threads that mostly wait for the network, and then want the interpreter together."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Gives the turn to one thread after the other; who waits for something gives it back.

    Threads that are answered at the same time would all take the interpreter for a moment, and the
    event loop, which wants it for another user, would wait for each of them. So it waits for one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None  # compared by each thread with itself alone

    @contextmanager
    def take(self) -> Iterator[None]:
        """Have the turn during the block; a thread that has it may not take it once more."""
        with self._lock:
            self._owner = threading.get_ident()
            try:
                yield
            finally:
                self._owner = None

    @contextmanager
    def give_back(self) -> Iterator[None]:
        """Leave the turn to others during the block; do nothing if this thread has none."""
        if self._owner != threading.get_ident():
            yield
            return
        self._owner = None
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
            self._owner = threading.get_ident()

    def sleep(self, seconds: float) -> None:
        """Wait, and leave the turn to others meanwhile."""
        with self.give_back():
            time.sleep(seconds)
