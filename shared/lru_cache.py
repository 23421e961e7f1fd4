"""What was made of label configs: the last used are kept, as far as they are not large together."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Label configs.
COUNT = 256
# Of their XML together: what is made of one takes up to 120 bytes a character.
CHARACTERS = 4_000_000


class LRUCache(Generic[K, V]):
    """Values by key; `characters` says how long the label config is that each was made of."""

    def __init__(self, count: int = COUNT, characters: int = CHARACTERS) -> None:
        self._count, self._characters = count, characters
        self._found: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, which is now the last used."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key][0]

    def put(self, key: K, value: V, characters: int) -> V:
        """Keep a value, and forget the longest unused ones; the newest always stays."""
        with self._lock:
            _, before = self._found.pop(key, (None, 0))
            self._found[key] = value, characters
            self._total += characters - before
            while len(self._found) > 1 and (
                len(self._found) > self._count or self._total > self._characters
            ):
                _, (_, gone) = self._found.popitem(last=False)
                self._total -= gone
        return value

    def values(self) -> list[V]:
        """All that are kept, the longest unused first."""
        with self._lock:
            return [value for value, _ in self._found.values()]
