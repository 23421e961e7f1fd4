"""Reads media at addresses: bytes, upright images, pages, videos, recordings and texts."""

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, unquote, unquote_to_bytes

from shared.errors import DecodeError, FetchError
from shared.media import address, document
from shared.media.audio import AudioFile, AudioLimits
from shared.media.image import Image, decode_image
from shared.media.label_studio_files import (
    ACCESS_REMEDY,
    CLOUD_SCHEMES,
    LabelStudioHost,
    truncate_url,
)
from shared.media.named_file import LocalPath, StoredObject
from shared.media.object_address import STORES
from shared.media.stored_media import StoredMedia
from shared.media.video import VideoFile, VideoLimits
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.media.download import Downloader

MB = 1_000_000
# All pages of a document together may have this many times MAX_MEGAPIXELS.
DOCUMENT_SIZE_FACTOR = 2
# The path under which Label Studio names files of a local storage: …/?d=folder/a.png.
LOCAL_FILES = "/data/local-files/"

_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)


T = TypeVar("T")
_read: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("read", default=None)


@contextmanager
def memoized_reads() -> Iterator[None]:
    """Within this context, fetch and decode each address only once in this thread."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def _read_once(what: tuple[str, str], make: Callable[[], T]) -> T:
    known = _read.get()
    if known is None:
        return make()
    if what not in known:
        known[what] = make()
    found: T = known[what]
    return found


class MediaReader:
    """Fetches and decodes media.

    Private networks and local files are closed by default: see `shared.media.egress` and the
    setting LOCAL_FILES_ROOT.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host = LabelStudioHost(settings)
        self._known_downloads: Downloader | None = None
        self._lock = threading.Lock()
        self._stored = StoredMedia(settings)
        self._limit = int(settings.max_media_mb * MB)

    def close(self) -> None:
        """Close the connections."""
        if self._known_downloads is not None:
            self._known_downloads.close()

    @property
    def _downloads(self) -> "Downloader":
        """Made with the first download: the client and the certificates take 0.3 s and 10 MB."""
        with self._lock:
            if self._known_downloads is None:
                from shared.media.download import Downloader

                self._known_downloads = Downloader(self._settings, self._host)
            return self._known_downloads

    def read_image(self, value: str, task_id: Any = None) -> Image:
        """Return the upright image at an address."""
        most = self._settings.max_megapixels
        return _read_once(("image", value), lambda: decode_image(self.fetch(value, task_id), most))

    def read_pages(self, value: str, task_id: Any = None) -> list[Image]:
        """Return the upright pages of a PDF or TIFF at an address; any other image is one page.

        DecodeError if there are more than 500, or if all together have more than twice
        MAX_MEGAPIXELS.
        """
        return _read_once(("pages", value), lambda: list(self.iterate_pages(value, task_id)))

    def iterate_pages(self, value: str, task_id: Any = None) -> Iterator[Image]:
        """Yield the pages that `read_pages` returns, decoded one at a time and kept nowhere."""
        data = self.fetch(value, task_id)
        most, left = (
            self._settings.max_megapixels,
            self._settings.max_megapixels * DOCUMENT_SIZE_FACTOR,
        )
        if document.has_more_pages(data, document.MAX_PAGES):
            raise DecodeError(
                f"The document has more than {document.MAX_PAGES} pages: `prelabel pages` makes an"
                " image of each",
                cause="too_large",
            )
        for count, page in enumerate(document.decode_pages(data, most)):
            left -= page.size.width * page.size.height / 1e6
            if left < 0:
                raise DecodeError(
                    f"The document's first {count + 1} pages have over {DOCUMENT_SIZE_FACTOR}"
                    f" times MAX_MEGAPIXELS={most:g}: `prelabel pages` makes an image of each",
                    cause="too_large",
                )
            yield page

    def read_video(self, value: str, task_id: Any = None) -> VideoFile:
        """Return the video at an address."""
        limits = VideoLimits(self._settings.max_megapixels, self._settings.max_video_frames)
        data = self.fetch(value, task_id)
        return _read_once(("video", value), lambda: VideoFile.open(data, limits, task_id))

    def read_audio(self, value: str, task_id: Any = None) -> AudioFile:
        """Return the recording at an address, or the sound of the video there."""
        limits = AudioLimits(self._settings.max_audio_seconds)
        data = self.fetch(value, task_id)
        return _read_once(("audio", value), lambda: AudioFile.open(data, limits, task_id))

    def read_text(self, value: str, task_id: Any = None) -> str:
        """Return the UTF-8 text at an address; DecodeError if it is not UTF-8."""
        try:
            return self.fetch(value, task_id).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DecodeError(f"The text is not UTF-8: byte {error.start} is not") from None

    def fetch(self, value: str, task_id: Any = None) -> bytes:
        """Return the bytes at a data URL, Label Studio file, local file, http(s) or cloud URI.

        FetchError names the reason, and the setting that allows the address.
        """
        if isinstance(value, LocalPath):
            return _read_once(("bytes", value), lambda: self._read_named_file(value.path))
        if isinstance(value, StoredObject):
            return _read_once(("bytes", value), lambda: self._stored.read(value.address))
        return _read_once(
            ("bytes", value), lambda: self._fetch_address(address.check_address(value), task_id)
        )

    def _fetch_address(self, value: str, task_id: Any) -> bytes:
        found = _SCHEME.match(value)
        scheme = found[1].lower() if found else ""
        if scheme == "data":
            return self._decode_data_url(value)
        if scheme in {"", "http", "https"}:
            local = self._read_local_storage(value)
            if local is not None:
                return local
        if scheme in {"http", "https"}:
            return self._downloads.download(value)
        if scheme in CLOUD_SCHEMES or scheme in STORES:
            return self._fetch_object(value, scheme, task_id)
        if scheme:
            raise FetchError(
                f'Addresses that begin with "{scheme}:" are not fetched; http, https, data and'
                " cloud storage are",
                cause="invalid_url",
            )
        return self._downloads.download(self._host.resolve_url(value, task_id))

    def _fetch_object(self, value: str, scheme: str, task_id: Any) -> bytes:
        """Return the bytes of an object: from its store if that is allowed, or Label Studio."""
        allowed = self._stored.find_allowed(value)
        if allowed is not None:
            return self._stored.read(allowed)
        if scheme not in CLOUD_SCHEMES:
            raise self._stored.refuse(value)
        return self._downloads.download(self._host.resolve_url(value, task_id))

    def _decode_data_url(self, value: str) -> bytes:
        head, comma, body = value.partition(",")
        if not comma:
            raise FetchError("The data URL has no comma after its type", cause="invalid_address")
        if len(body) > self._limit * 4 // 3 + 4:
            raise FetchError(
                f"The data URL is over MAX_MEDIA_MB={self._settings.max_media_mb:g}",
                cause="too_large",
            )
        if not head.endswith(";base64"):
            return unquote_to_bytes(body)
        try:
            return base64.b64decode(unquote(body), validate=True)
        except (binascii.Error, ValueError):
            raise FetchError("The data URL is not valid base64", cause="invalid_address") from None

    def _read_named_file(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > self._limit:
                limit = f"MAX_MEDIA_MB={self._settings.max_media_mb:g}"
                raise FetchError(f"{path.name} is over {limit}", cause="too_large")
            return path.read_bytes()
        except OSError as error:
            raise FetchError(f"{path.name} cannot be read: {error.strerror}") from None

    def _read_local_storage(self, value: str) -> bytes | None:
        """Return a file below LOCAL_FILES_ROOT; None if the value does not name one."""
        root = self._settings.local_files_root
        path, _, query = value.partition("?")
        if not path.endswith(LOCAL_FILES):
            return None
        name = parse_qs(query).get("d", [""])[0]
        if root is None:
            if self._host.url is None and not _SCHEME.match(value):
                raise FetchError(
                    f'"{truncate_url(name)}" is in a local storage of Label Studio: set'
                    " LOCAL_FILES_ROOT to that storage's root, if this server has it, or"
                    f" {ACCESS_REMEDY}",
                    cause="label_studio_url_missing",
                )
            return None
        try:
            return self._read_below_root(root.resolve(), name)
        except (OSError, ValueError, RuntimeError):  # not allowed, no file name, a loop of links
            raise FetchError(
                f'"{truncate_url(name)}" cannot be read in LOCAL_FILES_ROOT', cause="local_file"
            ) from None

    def _read_below_root(self, root: Path, name: str) -> bytes:
        path = (root / name.lstrip("/")).resolve()
        if "\\" in name and not path.is_file():  # written by Windows
            path = (root / name.replace("\\", "/").lstrip("/")).resolve()
        if not path.is_relative_to(root):
            raise FetchError(
                f'"{truncate_url(name)}" lies outside LOCAL_FILES_ROOT', cause="local_file"
            )
        if not path.is_file():
            raise FetchError(
                f'"{truncate_url(name)}" is no file in LOCAL_FILES_ROOT', cause="local_file"
            )
        if path.stat().st_size > self._limit:
            raise FetchError(
                f'"{truncate_url(name)}" is over MAX_MEDIA_MB={self._settings.max_media_mb:g}',
                cause="too_large",
            )
        return path.read_bytes()
