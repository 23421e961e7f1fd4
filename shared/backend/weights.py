"""Hashes of the files that models are loaded from: a part of each model version."""

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.backend.claim import ModelSpec

if TYPE_CHECKING:
    from shared.backend.base import Backend

READ_BLOCK_BYTES = 1 << 20


class WeightsHashes:
    """One hash for each model, computed once. Hashing one model does not wait for another."""

    def __init__(self) -> None:
        self._hashes: dict[ModelSpec, str] = {}
        self._locks: dict[ModelSpec, threading.Lock] = {}

    def get(self, backend: "Backend", spec: ModelSpec) -> str | None:
        """Return the hash if it takes no reading of files to know it."""
        known = self._hashes.get(spec)
        if known is None and not backend.has_weights:
            known = self._hashes[spec] = hash_files(())
        return known

    def compute(self, backend: "Backend", spec: ModelSpec, again: bool = False) -> str:
        """Return the hash; the files are fetched and read if it is not known.

        With `again` they are read in any case. Raises what `backend.weights` raises.
        """
        with self._locks.setdefault(spec, threading.Lock()):
            if again or spec not in self._hashes:
                self._hashes[spec] = hash_files(backend.weights(spec))
            return self._hashes[spec]


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
