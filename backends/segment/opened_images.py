"""The image of a task: fetched once while a user works on it, and decoded only to embed it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from shared.media.image import Image, content_digest, decode_image
from shared.media.named_file import LocalPath
from shared.media.reader import MediaReader

# For so long an address is taken to show what it showed when it was fetched: as long as the user
# is likely to look at it in an editor that does not fetch it again either.
KNOWN_SECONDS = 300
KNOWN_ADDRESSES = 1000
# Longer addresses hold the image themselves.
MAX_ADDRESS_LENGTH = 4096


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """An image by the `digest` of its file; `read` fetches and decodes it."""

    digest: str
    read: Callable[[], Image]


class ImageOpener:
    """Opens the images of tasks for one server process."""

    def __init__(self) -> None:
        self._digests: TTLCache[tuple[str, str], str] = TTLCache(KNOWN_ADDRESSES, KNOWN_SECONDS)
        self._lock = threading.Lock()

    def open(
        self, media: MediaReader, address: str, task_id: Any, max_megapixels: float
    ) -> OpenedImage:
        """Return the image at an address, which is not fetched if it was shortly before.

        FetchError as `MediaReader.fetch` raises it.
        """
        key = address, str(task_id)
        with self._lock:
            known = self._digests.get(key)

        def read_again() -> Image:
            image = media.read_image(address, task_id)
            self._remember(key, image.digest)
            return image

        if known is not None:
            return OpenedImage(known, read_again)
        data = media.fetch(address, task_id)
        digest = content_digest(data)
        if not isinstance(address, LocalPath):
            self._remember(key, digest)
        return OpenedImage(digest, lambda: decode_image(data, max_megapixels))

    def _remember(self, key: tuple[str, str], digest: str) -> None:
        if len(key[0]) <= MAX_ADDRESS_LENGTH:
            with self._lock:
                self._digests[key] = digest
