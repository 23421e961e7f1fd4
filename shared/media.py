"""Task values to bytes to upright images and texts, under the rules about what may be read."""

import base64
import binascii
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_to_bytes, urlsplit

import httpx

from shared import network
from shared.errors import DecodeError, FetchError
from shared.image import Image, decode
from shared.label_config import ObjectTag
from shared.label_studio import CLOUD_SCHEMES, LabelStudioHost
from shared.settings import Settings

MB = 1_000_000


class Media:
    """Fetches and decodes. Closed by default: see `shared.network` and LOCAL_FILES_ROOT."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host = LabelStudioHost(settings)
        self._client = network.client(settings)
        self._limit = int(settings.max_media_mb * MB)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def image(self, value: str, task_id: Any = None) -> Image:
        """The upright image at an address."""
        return decode(self.fetch(value, task_id), self._settings.max_megapixels)

    def text(self, value: str, target: ObjectTag, task_id: Any = None) -> str:
        """The text itself, or the one at the address if the tag says `valueType="url"`."""
        if target.attrs.get("valueType") != "url":
            return value
        try:
            return self.fetch(value, task_id).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DecodeError(f"The text is not UTF-8: byte {error.start} is not") from None

    def fetch(self, value: str, task_id: Any = None) -> bytes:
        """What an address holds: data URL, Label Studio file, local file, http(s) or cloud URI.

        FetchError names what stands in the way, and the setting that opens it.
        """
        scheme = urlsplit(value).scheme.lower() if "://" in value[:16] or ":" in value[:6] else ""
        if scheme == "data":
            return self._data_url(value)
        if scheme in {"http", "https"}:
            return self._local(value) or self._get(value)
        if scheme in CLOUD_SCHEMES:
            return self._get(self._host.resolve(value, task_id))
        if scheme:
            raise FetchError(
                f'Addresses that begin with "{scheme}:" are not fetched; http, https, data and'
                " cloud storage are"
            )
        return self._local(value) or self._get(self._host.resolve(value, task_id))

    def _data_url(self, value: str) -> bytes:
        head, comma, body = value.partition(",")
        if not comma:
            raise FetchError("The data URL has no comma after its type")
        if len(body) > self._limit * 4 // 3 + 4:
            raise FetchError(f"The data URL is over MAX_MEDIA_MB={self._settings.max_media_mb:g}")
        if not head.endswith(";base64"):
            return unquote_to_bytes(body)
        try:
            return base64.b64decode(unquote(body), validate=True)
        except (binascii.Error, ValueError):
            raise FetchError("The data URL is not valid base64") from None

    def _local(self, value: str) -> bytes | None:
        """A file below LOCAL_FILES_ROOT, as Label Studio names it: /data/local-files/?d=a/b.png."""
        root = self._settings.local_files_root
        parts = urlsplit(value)
        if root is None or not parts.path.endswith("/data/local-files/"):
            return None
        name = parse_qs(parts.query).get("d", [""])[0]
        root = root.resolve()
        path = (root / name.lstrip("/")).resolve()
        if not path.is_relative_to(root):
            raise FetchError(f'"{name}" lies outside LOCAL_FILES_ROOT')
        if not path.is_file():
            raise FetchError(f'"{name}" is no file in LOCAL_FILES_ROOT')
        return self._read(path, name)

    def _read(self, path: Path, name: str) -> bytes:
        if path.stat().st_size > self._limit:
            raise FetchError(f'"{name}" is over MAX_MEDIA_MB={self._settings.max_media_mb:g}')
        return path.read_bytes()

    def _get(self, url: str) -> bytes:
        headers = self._host.headers() if self._host.owns(url) else {}
        until = time.monotonic() + self._settings.fetch_timeout
        try:
            with self._client.stream("GET", url, headers=headers) as answer:
                self._check(answer, url)
                return self._collect(answer, until)
        except FetchError:
            raise
        except httpx.TimeoutException:
            raise FetchError(
                f"{_shown(url)} did not answer in FETCH_TIMEOUT={self._settings.fetch_timeout:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise FetchError(f"{_shown(url)} cannot be fetched: {_reason(error)}") from None

    def _check(self, answer: httpx.Response, url: str) -> None:
        if answer.is_success:
            return
        hint = ""
        if answer.status_code in {401, 403} and self._host.owns(url):
            hint = ": check LABEL_STUDIO_API_KEY"
        raise FetchError(f"{_shown(url)} answered {answer.status_code}{hint}")

    def _collect(self, answer: httpx.Response, until: float) -> bytes:
        blocks, size = [], 0
        for block in answer.iter_bytes():
            size += len(block)
            if size > self._limit:
                raise FetchError(
                    f"{_shown(str(answer.url))} is over"
                    f" MAX_MEDIA_MB={self._settings.max_media_mb:g}"
                )
            if time.monotonic() > until:
                raise FetchError(
                    f"{_shown(str(answer.url))} did not arrive in"
                    f" FETCH_TIMEOUT={self._settings.fetch_timeout:g} s"
                )
            blocks.append(block)
        return b"".join(blocks)


def _shown(url: str) -> str:
    """An address without its query and password, which may hold secrets."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _reason(error: Exception) -> str:
    text = str(error)
    return text if isinstance(error, httpx.ConnectError) and text else type(error).__name__
