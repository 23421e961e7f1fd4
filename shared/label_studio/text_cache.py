"""An LRU cache of what is built from texts, such as label configs."""

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Enough for the label configs of a busy server.
MAX_ENTRIES = 256
# Of all texts together: what is built from a label config takes up to 120 bytes a character.
MAX_CHARACTERS = 4_000_000


def _entry_size(entry: tuple[object, int]) -> int:
    return entry[1]


class TextCache(Generic[K, V]):
    """Thread-safe; bounded by the number of entries and by the total length of their texts."""

    def __init__(
        self, max_entries: int = MAX_ENTRIES, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self._max_characters = max_characters
        self._min_size = -(-max_characters // max_entries)  # so one limit holds for both
        self._entries: LRUCache[K, tuple[V, int]] = LRUCache(
            max_characters, getsizeof=lambda entry: entry[1]
        )
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value, which becomes the most recently used."""
        with self._lock:
            entry = self._entries.get(key)
            return None if entry is None else entry[0]

    def put(self, key: K, value: V, characters: int) -> V:
        """Store a value that was built from so many characters, and return it.

        The newest value is stored however long its text is.
        """
        size = min(max(characters, self._min_size), self._max_characters)
        with self._lock:
            self._entries[key] = value, size
        return value

    def values(self) -> list[V]:
        """Return all values, the oldest first."""
        with self._lock:
            return [value for value, _ in self._entries.values()]
