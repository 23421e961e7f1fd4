"""The files of a folder or glob: on this machine, or in an object store."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from shared.media.named_file import LocalPath, StoredObject
from shared.media.object_address import StoreAddress, parse_place
from shared.media.object_store import ObjectStore
from shared.media.reader import LOCAL_FILES


class MediaListing(Protocol):
    """The names of files, relative to a folder, in their order; `prefix` is the folder's URL."""

    prefix: str

    def __iter__(self) -> Iterator[str]: ...

    def name_file(self, value: str, name: str) -> str:
        """Return a task's value for a file, which is read although no task may name it."""

    def place(self, name: str) -> str:
        """Return where a file is, as the input names it, for messages."""

    def read_bytes(self, name: str) -> bytes:
        """Return the bytes of a file; OSError or StoreError if it cannot be read."""


def list_media(name: str, root: Path | None) -> MediaListing:
    """Return the files that a name of the command line means.

    `root` is LOCAL_FILES_ROOT. SettingError if the name's store cannot be used.
    """
    place = parse_place(name)
    return LocalListing(str(place), root) if isinstance(place, Path) else StoredListing(place)


class LocalListing:
    """The files of a folder or glob on this machine, or a single file."""

    def __init__(self, name: str, root: Path | None) -> None:
        path = Path(name)
        self._name = name
        self._folder = path if path.is_dir() else Path(_fixed_folder(name))
        self.prefix = local_files_prefix(self._folder, root)

    def __iter__(self) -> Iterator[str]:
        for path in _walk_files(self._name):
            yield path.relative_to(self._folder).as_posix()

    def name_file(self, value: str, name: str) -> str:
        return LocalPath.from_file(value, self._folder / name)

    def place(self, name: str) -> str:
        return str(self._folder / name)

    def read_bytes(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


class StoredListing:
    """The objects below an address or of a glob, or a single one.

    A folder is listed one level at a time, a glob as a whole. SettingError if that fails.
    """

    def __init__(self, place: StoreAddress) -> None:
        self._place = place
        self._store = ObjectStore(place)
        self._is_glob = glob.has_magic(place.key) and self._store.find(place) is None
        if self._is_glob:
            self._folder = place._replace(key=_fixed_folder(place.key))
        else:
            self._folder = place if self._store.is_folder(place) else place.parent
        self.prefix = str(self._folder) + ("/" if self._folder.key else "")

    def __iter__(self) -> Iterator[str]:
        if self._is_glob:
            found: Iterator[StoreAddress] = (one.address for one in self._store.glob(self._place))
        elif self._folder == self._place:
            found = (one.address for one in self._store.walk(self._folder))
        else:
            found = iter([self._place])
        above = len(self._folder.key) + 1 if self._folder.key else 0
        yield from (address.key[above:] for address in found)

    def name_file(self, value: str, name: str) -> str:
        return StoredObject.from_address(value, self._folder / name)

    def place(self, name: str) -> str:
        return str(self._folder / name)

    def read_bytes(self, name: str) -> bytes:
        with self._store.open(self._folder / name) as file:
            return file.read()


def _walk_files(name: str) -> Iterator[Path]:
    if os.path.isdir(name):
        for folder, inside, files in os.walk(name):
            inside[:] = sorted(part for part in inside if not part.startswith("."))
            yield from (Path(folder, file) for file in sorted(files) if not file.startswith("."))
    elif os.path.exists(name):
        yield Path(name)
    else:
        found = sorted(glob.iglob(name, recursive=True))
        yield from (Path(path) for path in found if os.path.isfile(path))


def _fixed_folder(pattern: str) -> str:
    """Return the folders of a glob before its first wildcard."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder


def local_files_prefix(folder: Path, root: Path | None) -> str:
    """Return Label Studio's address of the files in a folder, up to their path in it.

    `root` is LOCAL_FILES_ROOT; a folder outside of it is named by its own name alone.
    """
    folder = folder.resolve()
    base = root.resolve() if root is not None and folder.is_relative_to(root.resolve()) else None
    path = folder.relative_to(base or folder.parent).as_posix()
    return f"{LOCAL_FILES}?d={quote(path)}/" if path != "." else f"{LOCAL_FILES}?d="
