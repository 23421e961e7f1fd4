"""Hashes of the files that models are loaded from: a part of each model version."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.backend.claim import ModelSpec

if TYPE_CHECKING:
    from shared.backend.base import Backend

READ_BLOCK_BYTES = 1 << 20
# Of each file the path, the size and the time of its last change.
FileStates = frozenset[tuple[Path, int, int]]


class WeightsHashes:
    """One hash for each model, computed once. Hashing one model does not wait for another."""

    def __init__(self) -> None:
        self._hashes: dict[ModelSpec, str] = {}
        self._states: dict[ModelSpec, FileStates] = {}
        self._locks: dict[ModelSpec, threading.Lock] = {}

    def get(self, backend: "Backend", spec: ModelSpec) -> str | None:
        """Return the hash if it takes no reading of files to know it."""
        known = self._hashes.get(spec)
        if known is None and not backend.has_weights:
            known = self._hashes[spec] = hash_files(())
        return known

    def compute(self, backend: "Backend", spec: ModelSpec) -> str:
        """Return the hash; the files are fetched and read if it is not known.

        Raises what `backend.weights` raises.
        """
        with self._locks.setdefault(spec, threading.Lock()):
            if spec not in self._hashes:
                self._read(spec, tuple(backend.weights(spec)))
            return self._hashes[spec]

    def renew(self, backend: "Backend", spec: ModelSpec, again: bool = False) -> str:
        """Return the hash of the files as they are now: they are read if they have changed.

        With `again` they are read in any case. Raises what `backend.weights` raises.
        """
        with self._locks.setdefault(spec, threading.Lock()):
            paths = tuple(backend.weights(spec))
            if again or self._states.get(spec) != _states_of(paths):
                self._read(spec, paths)
            return self._hashes[spec]

    def have_changed(self, spec: ModelSpec) -> bool:
        """Return whether the files are others than those that were read, as far as the disk tells.

        A file that is gone does not count: nothing else could be loaded in its place.
        """
        read = self._states.get(spec, frozenset())
        return not _states_of(path for path, _, _ in read if path.exists()) <= read

    def _read(self, spec: ModelSpec, paths: Sequence[Path]) -> None:
        self._states[spec] = _states_of(paths)  # before they are read: they may change meanwhile
        self._hashes[spec] = hash_files(paths)


def _states_of(paths: Iterable[Path]) -> FileStates:
    """Return what changes with a file's content, without reading it."""
    found = ((path, path.stat()) for path in paths)
    return frozenset((path, state.st_size, state.st_mtime_ns) for path, state in found)


def hash_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the files' names and contents, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(READ_BLOCK_BYTES):
                content.update(block)
        digest.update(f"{path.name}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()
