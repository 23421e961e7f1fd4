"""What all backends of a process share: settings, media, hashes of weights, counts of tokens."""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.backend.token_counts import TokenCounts
from shared.backend.weights import WeightsHashes
from shared.media.reader import MediaReader
from shared.settings import Settings, read_settings, restrain_libraries

T = TypeVar("T")


class Resources:
    """One for each process."""

    def __init__(self, settings: Settings) -> None:
        restrain_libraries()
        self.settings = settings
        self.media = MediaReader(settings)
        self.weights_hashes = WeightsHashes()
        self.token_counts = TokenCounts()
        # What backends keep of tasks in memory, in bytes: it is no part of a model.
        self.cache_sizes: list[Callable[[], int]] = []
        self.pid = os.getpid()
        self.is_closed = False

    def cached_bytes(self) -> int:
        """Return what the caches of all backends hold."""
        return sum(size() for size in self.cache_sizes)

    def close(self) -> None:
        """Stop the threads."""
        self.is_closed = True
        self.media.close()


class OncePerProcess(Generic[T]):
    """An object that each process creates on first use, since threads do not survive a fork."""

    def __init__(self, create: Callable[[], T]) -> None:
        self._create = create
        self._by_pid: dict[int, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the object of this process."""
        current = self._by_pid.get(os.getpid())
        if current is None:
            with self._lock:
                current = self._by_pid.get(os.getpid())
                if current is None:
                    self._by_pid.clear()  # what a forked process has of its parent's
                    current = self._by_pid[os.getpid()] = self._create()
        return current

    def take(self) -> T | None:
        """Return the object of this process, if there is one; the next `get` creates another."""
        with self._lock:
            return self._by_pid.pop(os.getpid(), None)


_resources = OncePerProcess(lambda: Resources(read_settings(Settings)))


def shared_resources() -> Resources:
    """Return the resources of this process."""
    return _resources.get()


def reset_resources() -> None:
    """Close this process's resources and forget all settings, so that they are read again."""
    read_settings.cache_clear()
    resources = _resources.take()
    if resources is not None:
        resources.close()
