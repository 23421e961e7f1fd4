"""Outputs of models by the content of their input: what was inferred once is not inferred again."""

import hashlib
import sys
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache

# Bytes that an entry takes beside its output: its key and its places in the table.
ENTRY_OVERHEAD_BYTES = 400
# Bytes that an object takes beside its content.
OBJECT_OVERHEAD_BYTES = 64
# Types whose objects hold on to no others.
_ATOMS = frozenset({int, float, str, bytes, bool, type(None)})


class OutputCache:
    """A thread-safe LRU cache of outputs that is bounded by their size in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._outputs: LRUCache[Hashable, tuple[Any, int]] = LRUCache(
            max_bytes, getsizeof=lambda entry: entry[1]
        )
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._outputs)

    @property
    def bytes(self) -> int:
        """The size of all outputs."""
        return int(self._outputs.currsize)

    def get(self, key: Hashable) -> tuple[Any] | None:
        """Return the output, in a tuple since it may be None itself; None if it is not cached."""
        with self._lock:
            entry = self._outputs.get(key)
            if entry is None:
                self.misses += 1
                return None
            self.hits += 1
            return (entry[0],)

    def put(self, key: Hashable, output: Any) -> None:
        """Cache an output, unless it is larger than the whole cache."""
        if not self.max_bytes:
            return
        size = size_of(output) + ENTRY_OVERHEAD_BYTES
        if size <= self.max_bytes:
            with self._lock:
                self._outputs[key] = output, size


def fingerprint(item: Any) -> bytes | None:
    """The same for equal contents, whatever the process; None if its content cannot be told.

    Texts, bytes, numbers, arrays, and what has a `digest` (an image has its file's), also inside
    lists, tuples, mappings and dataclasses.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        _feed(digest.update, item)
    except TypeError:
        return None
    return digest.digest()


def _feed(update: Callable[[Any], None], item: Any) -> None:
    """Each part with its kind and length, so that no two contents read the same."""
    if isinstance(item, str):
        item = item.encode("utf-8", "surrogatepass")
        update(b"s%d:" % len(item) + item)
    elif item is None or isinstance(item, bool | int | float):
        update(f"{type(item).__name__}{item!r};".encode())
    elif isinstance(item, bytes):
        update(b"b%d:" % len(item) + item)
    elif isinstance(item, tuple | list):
        update(f"{type(item).__qualname__}{len(item)}:".encode())
        for part in item:
            _feed(update, part)
    elif isinstance(item, Mapping):
        update(b"m%d:" % len(item))
        for pair in item.items():
            _feed(update, pair)
    else:
        _feed_object(update, item)


def _feed_object(update: Callable[[Any], None], item: Any) -> None:
    update(f"{type(item).__qualname__}:".encode())
    known = getattr(item, "digest", None)
    if isinstance(known, str) and known:
        _feed(update, known)
    elif isinstance(item, np.ndarray) and item.dtype != object:
        _feed(update, (str(item.dtype), item.shape))
        update(np.ascontiguousarray(item).data)
    elif is_dataclass(item):
        for field in fields(item):
            _feed(update, getattr(item, field.name))
    else:
        raise TypeError


def size_of(output: Any) -> int:
    """About how many bytes an object holds on to: arrays by their buffers, each thing once."""
    seen: set[int] = set()
    todo, total = [output], 0
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if type(part) in _ATOMS:  # nearly all, as where each token of a text is
            total += sys.getsizeof(part)
        else:
            total += _own_size(part)
            todo.extend(_parts(part))
    return total


def _own_size(part: Any) -> int:
    if isinstance(part, np.ndarray):
        own = not isinstance(part.base, np.ndarray)  # else what it is a part of is counted
        return OBJECT_OVERHEAD_BYTES + (int(part.nbytes) if own else 0)
    held = getattr(part, "nbytes", None)  # a tensor
    return sys.getsizeof(part, OBJECT_OVERHEAD_BYTES) + (held if isinstance(held, int) else 0)


def _parts(part: Any) -> list[Any]:
    if part is None or isinstance(part, str | bytes | int | float | type):
        return []
    if isinstance(part, np.ndarray):  # what a view shows a part of is held whole
        return [part.base] if isinstance(part.base, np.ndarray) else []
    if isinstance(part, Mapping):
        return [*part.keys(), *part.values()]
    if isinstance(part, tuple | list | set | frozenset):
        return list(part)
    slots = [getattr(part, name, None) for name in getattr(type(part), "__slots__", ())]
    return [*slots, *getattr(part, "__dict__", {}).values()]
