"""Media in object stores, within the buckets that tasks may name, and with limits."""

import threading
from typing import TYPE_CHECKING

from shared.errors import FetchError, SettingError
from shared.media.label_studio_files import truncate_url
from shared.media.object_address import AllowedBuckets, StoreAddress
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.media.object_store import ObjectStore


class StoredMedia:
    """Reads objects with the server's own credentials; each store is opened once."""

    def __init__(self, settings: Settings) -> None:
        """SettingError if ALLOWED_BUCKETS names no buckets."""
        self._allowed = AllowedBuckets(settings.allowed_buckets)
        self._limit = int(settings.max_media_mb * 1_000_000)
        self._limit_named = f"MAX_MEDIA_MB={settings.max_media_mb:g}"
        self._seconds = settings.fetch_timeout
        self._stores: dict[tuple[str, str], ObjectStore] = {}
        self._lock = threading.Lock()

    def find_allowed(self, value: str) -> StoreAddress | None:
        """Return the object that a task names, if ALLOWED_BUCKETS allows it."""
        return self._allowed.find(value)

    def refuse(self, value: str) -> FetchError:
        """Return the error for what a task may not name."""
        return FetchError(
            f'"{truncate_url(value)}" is in no bucket that tasks may name: add its bucket, or a'
            " folder in it, to ALLOWED_BUCKETS",
            cause="bucket_not_allowed",
        )

    def read(self, address: StoreAddress) -> bytes:
        """Return the bytes of an object; FetchError if they cannot be read."""
        from shared.media.object_store import TooLargeError

        try:
            return self._open_store(address).read(address, self._limit, self._seconds)
        except TooLargeError:
            raise FetchError(
                f"{address.shown} is over {self._limit_named}", cause="too_large"
            ) from None
        except SettingError as error:
            raise FetchError(str(error)) from None

    def _open_store(self, address: StoreAddress) -> "ObjectStore":
        from shared.media.object_store import ObjectStore

        protocol = address.kind.protocol
        # in these, an address also names the account or the host
        key = (protocol, address.bucket if protocol in {"abfs", "hdfs"} else "")
        with self._lock:
            if key not in self._stores:
                self._stores[key] = ObjectStore(address, self._seconds)
            return self._stores[key]
