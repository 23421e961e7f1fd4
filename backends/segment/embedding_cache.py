"""Embeddings of images: in memory and on disk, in half precision, bounded, for several processes.

An embedding is a file of its own, CACHE_DIR/embeddings/MODEL-ARRANGEMENT/IMAGE.npz, that is moved
into its place as a whole. The files that were used longest ago leave first, whichever model made
them.
"""

import logging
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from backends.segment.models.promptable_model import Embedding
from shared.results import ImageSize

logger = logging.getLogger(__name__)

# Increase it when models arrange embeddings otherwise: images are embedded again then.
ARRANGEMENT = 2
SIZE_KEY = "image_size"
HALF_MAX = float(np.finfo(np.float16).max)
# What reading a broken file raises: a flipped bit of a ZIP file may ask for a password.
BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile)
# Embeddings that are kept as float32 beside: the one clicked on, and the one of bulk work.
KEPT_FLOATS = 2
# Files of writers that were killed are older than this, in seconds.
ABANDONED_SECONDS = 3600


class EmbeddingKey(NamedTuple):
    """What identifies an embedding: hashes of the model's files, and of the image's."""

    model: str
    image: str


class EmbeddingCache:
    """Keeps embeddings up to `memory_bytes`, and up to `disk_bytes` below `folder`."""

    def __init__(self, folder: Path, memory_bytes: int, disk_bytes: int) -> None:
        self._folder = folder
        self._disk_bytes = disk_bytes
        self._memory: LRUCache[EmbeddingKey, Embedding] = LRUCache(
            memory_bytes, getsizeof=lambda embedding: embedding.byte_count
        )
        # What was asked for last, and as float32: clicks come one after the other on an image, and
        # bulk work may be at another one between them.
        self._latest: tuple[tuple[Embedding, Embedding], ...] = ()
        self._lock = threading.Lock()
        self._has_warned = False

    @property
    def memory_bytes(self) -> int:
        """What the embeddings in memory take."""
        with self._lock:
            return int(self._memory.currsize)

    def __contains__(self, key: EmbeddingKey) -> bool:
        with self._lock:
            known = key in self._memory
        return known or (self._disk_bytes > 0 and self._path(key).is_file())

    def get(self, key: EmbeddingKey) -> Embedding | None:
        """Return an embedding as float32, from memory or else from disk; None if it is in neither.

        A file that cannot be read counts as none, and is removed.
        """
        with self._lock:
            kept = self._memory.get(key)
        if kept is None:
            kept = self._read(key) if self._disk_bytes else None
            if kept is None:
                return None
            self._remember(key, kept)
        return self._floats(kept)

    def put(self, key: EmbeddingKey, embedding: Embedding) -> Embedding:
        """Keep an embedding, and return it as `get` will: rounded to half precision.

        So the first click on an image is answered as all later ones are. A disk that is full or
        cannot be written costs only the file.
        """
        kept = _as_halves(embedding)
        self._remember(key, kept)
        if kept.byte_count <= self._disk_bytes:
            try:
                self._write(key, kept)
                self._make_room()
            except OSError as error:
                self._warn(error)
        return self._floats(kept)

    def _floats(self, kept: Embedding) -> Embedding:
        latest = self._latest
        known = [floats for halves, floats in latest if halves is kept]
        floats = known[0] if known else _as_floats(kept)
        if self._memory.maxsize:
            others = [pair for pair in latest if pair[0] is not kept]
            self._latest = ((kept, floats), *others)[:KEPT_FLOATS]
        return floats

    def _remember(self, key: EmbeddingKey, kept: Embedding) -> None:
        with self._lock, suppress(ValueError):  # larger than all memory for embeddings
            self._memory[key] = kept

    def _path(self, key: EmbeddingKey) -> Path:
        return self._folder / f"{key.model}-{ARRANGEMENT}" / f"{key.image}.npz"

    def _read(self, key: EmbeddingKey) -> Embedding | None:
        path = self._path(key)
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            width, height = (int(side) for side in arrays.pop(SIZE_KEY))
            os.utime(path)  # it was used now
        except FileNotFoundError:
            return None
        except BROKEN as error:
            logger.warning("An image is embedded again, since its file cannot be read: %s", error)
            with suppress(OSError):
                path.unlink()
            return None
        return Embedding(arrays, ImageSize(width, height))

    def _write(self, key: EmbeddingKey, kept: Embedding) -> None:
        path = self._path(key)
        arrays: dict[str, Any] = {**kept.arrays, SIZE_KEY: np.array(kept.size)}
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                os.unlink(part)
            raise

    def _make_room(self) -> None:
        """Remove the files used longest ago until the rest fits."""
        files = sorted(self._files(), key=lambda entry: entry[1])
        total = sum(size for size, _, _ in files)
        newest = files[-1][1] if files else 0.0
        for size, used, path in files:
            abandoned = path.suffix == ".part" and newest - used > ABANDONED_SECONDS
            if total > self._disk_bytes or abandoned:
                with suppress(OSError):  # another process was faster
                    path.unlink()
                total -= size

    def _files(self) -> Iterator[tuple[int, float, Path]]:
        """Yield size in bytes, time of the last use and path of each file of all models."""
        for path in self._folder.glob("*/*"):
            with suppress(OSError):  # removed meanwhile
                found = path.stat()
                yield found.st_size, found.st_mtime, path

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            reason = error.strerror or type(error).__name__
            logger.warning(
                "Embeddings are kept in memory only, CACHE_DIR cannot be used: %s", reason
            )


def _as_halves(embedding: Embedding) -> Embedding:
    return Embedding(
        {name: _to_half(array) for name, array in embedding.arrays.items()}, embedding.size
    )


def _to_half(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    return np.clip(array, -HALF_MAX, HALF_MAX).astype(np.float16)


def _as_floats(kept: Embedding) -> Embedding:
    arrays = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in kept.arrays.items()
    }
    return Embedding(arrays, kept.size)
