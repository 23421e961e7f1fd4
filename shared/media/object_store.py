"""Object stores, by fsspec: the only place that knows it.

What fails is raised as StoreError, which names the bucket and what helps, and never a credential.
No call retries for minutes: connecting is given `CONNECT_SECONDS`, an answer `seconds`, each twice.
"""

import errno
import importlib
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from shared.errors import SettingError, escape_control, truncate
from shared.media.object_address import StoreAddress

CONNECT_SECONDS = 5.0
# Seconds for an answer, where no setting says otherwise.
ANSWER_SECONDS = 20.0
ATTEMPTS = 2
# Bytes that are asked for at a time, of an object that is read bit by bit.
BLOCK_BYTES = 8 << 20
COPY_BYTES = 1 << 20
# Errors of the drivers by name, which are not to be imported for this.
_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "DefaultCredentials", "CredentialRetri")
# Of Azure, for a container that is not there.
_NOT_FOUND = "ResourceNotFoundError"
_UNREACHABLE = ("ConnectionError", "ClientConnector", "ServerDisconnected", "ServiceRequestError")

T = TypeVar("T")


class StoreError(SettingError):
    """What a store answered, in one sentence for people.

    No OSError: what cannot be read now is not a damaged file, of which the rest would be given up.
    """

    reason = "store"


class TooLargeError(StoreError):
    """An object has more bytes than it may have."""


class ObjectInfo(NamedTuple):
    """An object, its bytes, and a tag that changes with its content."""

    address: StoreAddress
    size: int
    tag: str


class ObjectStore:
    """A store, seen with the credentials of this process's environment."""

    def __init__(self, address: StoreAddress, seconds: float = ANSWER_SECONDS) -> None:
        """`address` is any in the store. SettingError names the extra that lacks."""
        self._seconds = seconds
        with _named_errors(address, seconds):
            self._system = _open_file_system(address, seconds)

    def find(self, address: StoreAddress) -> ObjectInfo | None:
        """Return what is known of an object; None if there is none, or a folder."""
        with suppress(FileNotFoundError), _named_errors(address, self._seconds, missing=True):
            found = self._call(self._system.info, "_info", self._path(address))
            if found["type"] == "file":
                return _describe_object(address, found)
        return None

    def is_folder(self, address: StoreAddress) -> bool:
        """Return whether there are objects below an address."""
        with _named_errors(address, self._seconds):
            return bool(self._system.isdir(self._path(address)))

    def read(self, address: StoreAddress, limit: int, seconds: float) -> bytes:
        """Return an object's bytes, which arrive within `seconds`; TooLargeError over `limit`."""
        with _named_errors(address, seconds):
            path = self._path(address)
            if not self._system.async_impl:
                return self._read_blocks(path, limit, seconds)
            data: bytes = self._wait(seconds, _read_object, self._system, path, limit)
            return data

    def open(self, address: StoreAddress) -> io.BufferedReader:
        """Open an object that is read block by block; StoreError if it changes meanwhile."""
        return io.BufferedReader(StoredFile(self, address), COPY_BYTES)

    def open_blocks(self, address: StoreAddress) -> Any:
        """Open an object with fsspec's own file, which raises the driver's errors."""
        return self._system.open(
            self._path(address), "rb", block_size=BLOCK_BYTES, cache_type="readahead"
        )

    def walk(self, folder: StoreAddress) -> Iterator[ObjectInfo]:
        """Yield the objects below a folder: those of a folder first, then those of the folders in
        it, each in the order of their names. What begins with a dot is left out.
        """
        with _named_errors(folder, self._seconds):
            for top, inside, files in self._system.walk(
                self._path(folder), detail=True, on_error="raise"
            ):
                for name in [name for name in inside if name.startswith(".")]:
                    del inside[name]
                base = self._address(folder, top)
                for name in sorted(name for name in files if name and not name.startswith(".")):
                    yield _describe_object(base / name, files[name])

    def glob(self, pattern: StoreAddress) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys match a pattern (`*`, `?`, `[…]`, `**`)."""
        with _named_errors(pattern, self._seconds):
            found = self._system.glob(self._path(pattern), detail=True)
            for path, info in sorted(found.items()):
                if info["type"] == "file":
                    yield _describe_object(self._address(pattern, path), info)

    def download(self, address: StoreAddress, target: Path) -> None:
        """Write an object into a file."""
        with (
            _named_errors(address, self._seconds),
            target.open("wb") as file,
            self.open(address) as source,
        ):
            while block := source.read(COPY_BYTES):
                file.write(block)

    def upload(self, source: Path, address: StoreAddress) -> None:
        """Make an object of a file: it is there whole, or not at all."""
        with _named_errors(address, self._seconds):
            if address.kind.protocol != "hdfs":
                self._system.put_file(str(source), self._path(address))
                return
            new = self._path(address.parent / f".{address.name}.new")
            self._system.makedirs(self._path(address.parent), exist_ok=True)
            self._system.put_file(str(source), new)
            if self._system.exists(self._path(address)):
                self._system.rm_file(self._path(address))
            self._system.mv(new, self._path(address))

    def write(self, address: StoreAddress, data: bytes) -> None:
        """Make an object of a few bytes."""
        with _named_errors(address, self._seconds):
            self._system.pipe_file(self._path(address), data)

    def remove(self, address: StoreAddress) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError), _named_errors(address, self._seconds, missing=True):
            self._system.rm_file(self._path(address))

    def _read_blocks(self, path: str, limit: int, seconds: float) -> bytes:
        """Read where the driver knows no time limit."""
        until = time.monotonic() + seconds
        data = bytearray()
        with self._system.open(path, "rb") as file:
            while block := file.read(COPY_BYTES):
                data += block
                if len(data) > limit:
                    raise TooLargeError
                if time.monotonic() > until:
                    raise TimeoutError
        return bytes(data)

    def _call(self, function: Callable[..., T], name: str, *given: Any) -> T:
        """Call fsspec within the time limit, where it has one."""
        if not self._system.async_impl:
            return function(*given)
        found: T = self._wait(3 * self._seconds, getattr(self._system, name), *given)
        return found

    def _wait(self, seconds: float, function: Callable[..., Any], *given: Any) -> Any:
        """Run a coroutine in fsspec's thread; TimeoutError if it takes longer."""
        sync = _import_driver("fsspec.asyn", "s3").sync
        return sync(self._system.loop, function, *given, timeout=seconds)

    def _path(self, address: StoreAddress) -> str:
        """Return the path by which fsspec knows an address."""
        text = f"{address.kind.protocol}://{address.bucket}/{address.key}"
        return str(self._system._strip_protocol(text))

    def _address(self, sibling: StoreAddress, path: str) -> StoreAddress:
        """Return the address of one of fsspec's paths, in the bucket of another address."""
        bucket = self._path(sibling._replace(key="")).strip("/")
        return sibling._replace(key=path.strip("/").removeprefix(bucket).strip("/"))


class StoredFile(io.RawIOBase):
    """An object that is read block by block, with a StoreError for what fails."""

    def __init__(self, store: ObjectStore, address: StoreAddress) -> None:
        super().__init__()
        self._address = address
        with _named_errors(address, ANSWER_SECONDS):
            self._file = store.open_blocks(address)
        self.size = int(self._file.size or 0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def readinto(self, target: Any) -> int:
        with _named_errors(self._address, ANSWER_SECONDS):
            data = self._file.read(len(target))
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


async def _read_object(system: Any, path: str, limit: int) -> bytes:
    """Read an object in one request, so that it is never half of two versions."""
    size = (await system._info(path))["size"] or 0
    if size > limit:
        raise TooLargeError
    # a range of an empty object is an error in S3; beyond the end is none
    data: bytes = await system._cat_file(path, start=0, end=limit + 1) if size else b""
    if len(data) > limit:
        raise TooLargeError
    return data


def _open_file_system(address: StoreAddress, seconds: float) -> Any:
    """Return fsspec's file system for an address, of this caller only."""
    kind = address.kind
    fsspec = _import_driver("fsspec", kind.extra)
    _import_driver(kind.module, kind.extra)
    made = fsspec.get_filesystem_class(kind.protocol)
    text = f"{kind.protocol}://{address.bucket}/{address.key}"
    options: dict[str, Any] = dict(made._get_kwargs_from_urls(text))
    if kind.protocol == "s3":
        options["config_kwargs"] = {
            "connect_timeout": min(CONNECT_SECONDS, seconds),
            "read_timeout": seconds,
            "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
        }
    system = made(skip_instance_cache=True, use_listings_cache=False, **options)
    system.retries = ATTEMPTS
    return system


def _import_driver(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name != module:
            raise
        raise SettingError(
            f'{module} is not installed: install the extra "{extra}" of prelabel'
        ) from None


def _describe_object(address: StoreAddress, found: dict[str, Any]) -> ObjectInfo:
    changing = (found.get(key) for key in ("ETag", "etag", "md5Hash", "generation", "mtime"))
    known = [str(value).strip('"') for value in changing if value]
    modified = found.get("LastModified") or found.get("last_modified") or found.get("updated")
    tag = known[0] if known else str(modified)
    return ObjectInfo(address, int(found.get("size") or 0), tag)


@contextmanager
def _named_errors(address: StoreAddress, seconds: float, missing: bool = False) -> Iterator[None]:
    """Raise what the drivers raise as StoreError; with `missing`, FileNotFoundError stays."""
    try:
        yield
    except TooLargeError:
        raise TooLargeError(f"{address.shown} is too large") from None
    except (SettingError, GeneratorExit):
        raise
    except FileNotFoundError as error:
        if missing:
            raise
        raise StoreError(_describe_error(address, error, seconds)) from None
    except Exception as error:  # each driver raises many kinds
        raise StoreError(_describe_error(address, error, seconds)) from None


def _describe_error(address: StoreAddress, error: Exception, seconds: float) -> str:
    name = type(error).__name__
    if isinstance(error, FileNotFoundError) or name == _NOT_FOUND:
        return f"{address.shown} is not there: no such object, or no such bucket"
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return f"{address.place} did not answer in {seconds:g} s"
    if isinstance(error, PermissionError):
        return f"{address.place} refuses access: check {address.kind.variables}"
    if any(part in name for part in _NO_CREDENTIALS):
        return f"{address.place} cannot be opened without credentials: set {address.kind.variables}"
    if any(part in name for part in _UNREACHABLE):
        return f"the store of {address.place} cannot be reached: check {address.kind.variables}"
    if name == "FileExpired":
        return f"{address.shown} changed while it was read"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of a download
        return str(error.strerror)
    why = escape_control(str(error)) if address.kind.protocol == "hdfs" else name
    return f"{address.place} cannot be used ({truncate(why, 120)})"
