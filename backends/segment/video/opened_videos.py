"""The videos of tasks that the editor has open: fetched once while a user works on them."""

import threading
from typing import Any
from weakref import WeakKeyDictionary

from cachetools import TTLCache

from shared.backend.process_resources import Resources
from shared.media.reader import MediaReader
from shared.media.video import VideoFile

# Videos that are kept, with all their bytes, and for how many seconds after they were opened.
KEPT_VIDEOS, KEPT_SECONDS = 2, 300


class OpenedVideos:
    """Opens videos for one server process."""

    def __init__(self) -> None:
        self._files: TTLCache[tuple[str, Any], VideoFile] = TTLCache(KEPT_VIDEOS, KEPT_SECONDS)
        self._lock = threading.Lock()

    def open(self, media: MediaReader, address: str, task_id: Any) -> VideoFile:
        """Return the video at an address; FetchError and DecodeError as `read_video` has them."""
        key = address, str(task_id)
        with self._lock:
            known = self._files.get(key)
        if known is not None:
            return known
        file = media.read_video(address, task_id)
        with self._lock:
            self._files[key] = file
        return file

    def release(self, task_id: Any) -> None:
        """Forget the videos of a task."""
        with self._lock:
            for key in [key for key in self._files if key[1] == str(task_id)]:
                self._files.pop(key, None)


_opened: WeakKeyDictionary[Resources, OpenedVideos] = WeakKeyDictionary()
_lock = threading.Lock()


def opened_videos(resources: Resources) -> OpenedVideos:
    """Return what is kept with a process's resources."""
    with _lock:
        return _opened.setdefault(resources, OpenedVideos())
