"""What models said, by model and content of the input: asking again runs no model."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from shared.pipeline.fingerprint import size_of

# Bytes of an entry's key and places in the table.
ENTRY_OVERHEAD_BYTES = 400


class OutputCache:
    """Keeps outputs up to a number of bytes; those not asked for the longest go first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> tuple[Any] | None:
        """The output, in a tuple since it may be None itself; None if it is not there."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._kept.move_to_end(key)
            return (found[0],)

    def put(self, key: Hashable, output: Any) -> None:
        """Keep an output; one larger than the whole cache is let go."""
        if not self.max_bytes:
            return
        size = size_of(output) + ENTRY_OVERHEAD_BYTES
        if size > self.max_bytes:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = output, size
            self.bytes += size
            while self.bytes > self.max_bytes:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0

    def _drop(self, key: Hashable) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self.bytes -= known[1]
