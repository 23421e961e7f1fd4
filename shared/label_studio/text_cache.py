"""An LRU cache of what is built from texts, such as label configs."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Enough for the label configs of a busy server.
MAX_ENTRIES = 256
# Of all texts together: what is built from a label config takes up to 120 bytes a character.
MAX_CHARACTERS = 4_000_000


class TextCache(Generic[K, V]):
    """Thread-safe; bounded by the number of entries and by the total length of their texts.

    Not a cache of cachetools: those have one bound, no order of use to iterate in, and count
    iterating as use.
    """

    def __init__(
        self, max_entries: int = MAX_ENTRIES, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self._max_entries, self._max_characters = max_entries, max_characters
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value, which becomes the most recently used."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: K, value: V, characters: int) -> V:
        """Store a value that was built from so many characters, and return it.

        Drops the least recently used ones; the newest value is stored however long its text is.
        """
        with self._lock:
            _, replaced = self._entries.pop(key, (None, 0))
            self._entries[key] = value, characters
            self._characters += characters - replaced
            while len(self._entries) > 1 and (
                len(self._entries) > self._max_entries or self._characters > self._max_characters
            ):
                _, (_, dropped) = self._entries.popitem(last=False)
                self._characters -= dropped
        return value

    def pop(self, key: K) -> V | None:
        """Remove and return the value, if there is one."""
        with self._lock:
            value, characters = self._entries.pop(key, (None, 0))
            self._characters -= characters
            return value

    def items(self) -> list[tuple[K, V]]:
        """Return all keys and values, the least recently used first."""
        with self._lock:
            return [(key, value) for key, (value, _) in self._entries.items()]

    def values(self) -> list[V]:
        """Return all values, the least recently used first."""
        with self._lock:
            return [value for value, _ in self._entries.values()]
