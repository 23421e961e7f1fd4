"""What all backends of a process share: settings, media and the hashes of weights."""

import os
import threading

from shared.backend.weights import WeightsHashes
from shared.media.reader import MediaReader
from shared.settings import Settings, read_settings, restrain_libraries


class Resources:
    """Created on first use, in the process that uses it: threads do not survive a fork."""

    def __init__(self, settings: Settings) -> None:
        restrain_libraries()
        self.settings = settings
        self.media = MediaReader(settings)
        self.weights_hashes = WeightsHashes()
        self.pid = os.getpid()
        self.is_closed = False

    def close(self) -> None:
        """Stop the threads."""
        self.is_closed = True
        self.media.close()


_lock = threading.Lock()
_current: dict[int, Resources] = {}


def shared_resources() -> Resources:
    """Return the resources of this process."""
    resources = _current.get(os.getpid())
    if resources is None:
        with _lock:
            resources = _current.get(os.getpid())
            if resources is None:
                _current.clear()
                resources = _current[os.getpid()] = Resources(read_settings(Settings))
    return resources


def reset_resources() -> None:
    """Close this process's resources and forget all settings, so that they are read again."""
    with _lock:
        resources = _current.pop(os.getpid(), None)
        read_settings.cache_clear()
    if resources is not None:
        resources.close()
