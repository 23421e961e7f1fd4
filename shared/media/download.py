"""Downloads over http(s), with limits of size and time."""

import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from shared.errors import FetchError, truncate
from shared.media import egress
from shared.media.label_studio_files import LabelStudioHost, truncate_url
from shared.settings import Settings

# Content encodings that are requested and unpacked. Any other is refused.
COMPRESSED_ENCODINGS = {"gzip", "x-gzip", "deflate"}
# Bytes unpacked at a time: the most that is held above the limit.
CHUNK_BYTES = 1 << 20


class Downloader:
    """Downloads files; the token is sent to Label Studio only."""

    def __init__(self, settings: Settings, host: LabelStudioHost) -> None:
        self._client = egress.http_client(settings)
        self._host = host
        self._timeout = settings.fetch_timeout
        self._limit = int(settings.max_media_mb * 1_000_000)
        self._limit_named = f"MAX_MEDIA_MB={settings.max_media_mb:g}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def download(self, url: str) -> bytes:
        """Return the bytes at an address; FetchError if they cannot be fetched."""
        _check_url(url)
        try:
            trusted = self._host.accepts_token(url)
            headers = self._host.auth_headers(self._client) if trusted else {}
            headers["Accept-Encoding"] = "gzip, deflate"
            with (
                egress.time_limit(self._timeout),
                self._client.stream("GET", url, headers=headers) as answer,
            ):
                self._check_response(answer, url)
                return self._collect_body(answer)
        except FetchError:
            raise
        except httpx.TimeoutException:
            late = f"{_shown(url)} did not arrive in FETCH_TIMEOUT={self._timeout:g} s"
            raise FetchError(late) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = egress.describe_error(error)
            raise FetchError(f"{_shown(url)} cannot be fetched: {why}") from None

    def _check_response(self, answer: httpx.Response, url: str) -> None:
        declared = answer.headers.get("content-length", "")
        if answer.is_success and declared.isdecimal() and int(declared) > self._limit:
            raise self._too_large(answer)
        if answer.is_success:
            return
        message = f"{_shown(url)} answered {answer.status_code}"
        if answer.status_code in {401, 403} and self._host.owns_url(url):
            raise FetchError(f"{message}: check LABEL_STUDIO_API_KEY", cause="label_studio_token")
        raise FetchError(message, cause="http_status")

    def _collect_body(self, answer: httpx.Response) -> bytes:
        blocks, size = [], 0
        for block in _unpack_body(answer):
            size += len(block)
            if size > self._limit:
                raise self._too_large(answer)
            blocks.append(block)
        return b"".join(blocks)

    def _too_large(self, answer: httpx.Response) -> FetchError:
        return FetchError(
            f"{_shown(str(answer.url))} is over {self._limit_named}", cause="too_large"
        )


def _unpack_body(answer: httpx.Response) -> Iterator[bytes]:
    """Yield the body without its content encoding, a step at a time.

    httpx unpacks a block at once, and as often as the server asks: a few KB could fill the memory.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        yield from answer.iter_raw()
    elif encoding in COMPRESSED_ENCODINGS:
        yield from _inflate_blocks(answer.iter_raw())
    else:
        raise FetchError(
            f'{_shown(str(answer.url))} comes in the encoding "{encoding[:40]}", which was not'
            " asked for"
        )


def _inflate_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = None
    for block in blocks:
        while block:
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(_zlib_window_bits(block))
            try:
                yield unpacker.decompress(block, CHUNK_BYTES)
            except zlib.error:
                raise httpx.DecodingError("broken") from None
            block = unpacker.unconsumed_tail or unpacker.unused_data
    if unpacker is not None and not unpacker.eof:
        raise httpx.DecodingError("cut off")


def _zlib_window_bits(start: bytes) -> int:
    """Return zlib's `wbits` for gzip, zlib, or deflate without a header."""
    if start[0] == 0x1F:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS


def _check_url(url: str) -> None:
    """Raise FetchError for an address without a valid host and port, such as http:/host/a."""
    scheme, _, rest = url.partition("#")[0].partition(":")
    try:
        wrong = "" if urlsplit(url).hostname else "no host follows //"
        _ = urlsplit(url).port
    except ValueError:  # a port that is no number, a bracket too many
        wrong, rest = "its host or port cannot be read", "…"
    if wrong:
        plain = f"{scheme}:{'…' if '@' in url else rest}"  # a password may be anywhere before @
        raise FetchError(
            f'"{truncate_url(plain)}" is not a valid URL: {wrong} (expected one such as https://example.org/a.png)',
            cause="invalid_url",
        )


def _shown(url: str) -> str:
    """An address without its query and password, which may hold secrets."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return truncate(f"{parts.scheme}://{host}{port}{parts.path}", 200)
