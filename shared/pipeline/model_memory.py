"""What the loaded models take of this process's memory.

A model grows after it is loaded, too: OpenVINO reads most weights, and arranges a copy of them for
the processor, at the first inference of a kind. So what counts is measured when the process is at
rest, without a request, a load or a batch: what it holds then beyond what is known belongs to the
models that have worked since the last rest. Where memory is limited, it is estimated meanwhile.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from shared.pipeline.process_memory import Resident, release_memory

T = TypeVar("T")

# What the process grows by less than this is no model's, until it has added up to it.
LEAST_GROWTH_BYTES = 8_000_000
# What it grows by less than this while a model is loaded is not the model, but what runs beside it.
LEAST_LOADED_BYTES = 1_000_000
# An estimate is the least that is seen after so many batches: items come and go, weights stay.
BATCHES_OF_ESTIMATE = 8


@dataclass(eq=False)
class MemoryUse:
    """What one model takes.

    Until it has run, that is at least `least_bytes`: its files, or what it took when it was loaded
    before. It stays so on another device than the CPU, since its weights are not in this memory.
    `grown_bytes` were measured, when it was loaded if `is_measured`, and at rest; `estimated_bytes`
    are what it has grown by since then.
    """

    least_bytes: int = 0
    grown_bytes: int = 0
    estimated_bytes: int = 0
    is_measured: bool = False
    is_on_cpu: bool = False
    has_run: bool = False

    @property
    def total_bytes(self) -> int:
        """Return what counts."""
        return max(self.least_bytes, self.grown_bytes + self.estimated_bytes)

    def settle(self) -> None:
        """Count what was measured: the process is at rest."""
        self.estimated_bytes = 0
        if self.has_run and self.is_on_cpu and self.grown_bytes:
            self.least_bytes = 0

    def forget(self) -> None:
        """Count nothing of a model that is unloaded, but remember what it will take again."""
        self.least_bytes = self.total_bytes
        self.grown_bytes = self.estimated_bytes = 0
        self.is_measured = self.has_run = False


class ModelMemory:
    """Finds out by how much each model makes the process grow.

    With `is_limited` it is more careful: loads are measured without garbage, which takes a tenth of
    a second to collect, and there are estimates. `cached_bytes` returns what caches hold of
    outputs, which is no model's.
    """

    def __init__(
        self, is_limited: bool = False, cached_bytes: Callable[[], int] = lambda: 0
    ) -> None:
        self._is_limited = is_limited
        self._cached_bytes = cached_bytes
        self._lock = threading.Lock()
        self._unload_lock = threading.Lock()
        self._requests = self._working = self._works = 0
        self._unsettled: set[MemoryUse] = set()  # of the models that worked since the last rest
        self._known_bytes = 0  # held at the last rest
        self._spare_bytes = 0  # which malloc keeps until it is told to give them back
        self._most_mapped = 0
        self._excesses: list[int] = []

    def begin_request(self) -> None:
        """Note that a request may hold items in memory."""
        with self._lock:
            self._requests += 1

    def end_request(self) -> bool:
        """Note a request's end; return whether models take more or less than was known."""
        with self._lock:
            self._requests -= 1
            return self._settle_at_rest()

    def load(self, use: MemoryUse, load: Callable[[], T]) -> T:
        """Load a model; it takes what the process grows by, if nothing else works meanwhile."""
        release_memory(self._is_limited)
        with self._lock:
            if not self._unsettled:  # what has grown since the last rest is no model's
                self._known_bytes = max(self._known_bytes, self._held_bytes())
            before, is_alone, work = Resident.now(), not self._working, self._begin(use)
        try:
            model = load()
        finally:
            release_memory(self._is_limited)
            with self._lock:
                self._working -= 1
                if is_alone and work == self._works:
                    grown = Resident.now().growth_since(before)
                    use.is_measured = True
                    use.grown_bytes = grown if grown >= LEAST_LOADED_BYTES else 0
                    self._known_bytes += use.grown_bytes
        with self._lock:
            self._settle_at_rest()
        return model

    def begin_batch(self, use: MemoryUse) -> None:
        """Note that a model begins to run."""
        with self._lock:
            use.has_run = True
            self._begin(use)

    def end_batch(self) -> bool:
        """Note that it has run; return whether models take more or less than was known."""
        with self._lock:
            self._working -= 1
            return self._settle_at_rest() or (self._is_limited and self._estimate())

    def unload(self, uses: Collection[MemoryUse], close: Callable[[], None]) -> None:
        """Drop models by `close`, and give their memory back to the system."""
        with self._unload_lock:
            release_memory()
            with self._lock:
                before, is_alone, work = Resident.now(), not self._working, self._works
            close()
            release_memory()
            with self._lock:
                after = Resident.now()
                known = sum(use.grown_bytes for use in uses)
                is_alone = is_alone and work == self._works
                # What one has grown by since the last rest is freed as well, but not known.
                is_known = self._unsettled.isdisjoint(uses)
                freed = before.growth_since(after) if is_alone and is_known else known
                self._known_bytes -= freed
                self._most_mapped -= max(0, before.mapped - after.mapped)
                self._unsettled.difference_update(uses)
                for use in uses:
                    use.forget()

    def _begin(self, use: MemoryUse) -> int:
        """Note that a model works; return the number of this work."""
        self._unsettled.add(use)
        self._working += 1
        self._works += 1
        return self._works

    def _settle_at_rest(self) -> bool:
        """Share what the process holds beyond what is known; return whether it is anything."""
        if self._requests or self._working or not self._unsettled:
            return False
        uses, self._unsettled = self._unsettled, set()
        self._excesses.clear()
        grown = self._held_bytes() - self._known_bytes
        if grown > self._spare_bytes + LEAST_GROWTH_BYTES:
            own = Resident.now().own
            release_memory(collect=False)
            self._spare_bytes = max(0, own - Resident.now().own)
            grown = self._held_bytes() - self._known_bytes
        elif grown > 0:
            grown = 0
        is_new = abs(grown) >= LEAST_GROWTH_BYTES
        if is_new:
            self._known_bytes += grown
            for use, part in _shares(uses, grown):
                use.grown_bytes = max(0, use.grown_bytes + part)
        for use in uses:
            use.settle()
        return is_new

    def _estimate(self) -> bool:
        """Note what a batch leaves, and share it now and then; return whether that is anything."""
        self._excesses.append(self._held_bytes() - self._spare_bytes - self._known_bytes)
        if len(self._excesses) < BATCHES_OF_ESTIMATE:
            return False
        grown = max(0, min(self._excesses))
        self._excesses.clear()
        if abs(grown - sum(use.estimated_bytes for use in self._unsettled)) < LEAST_GROWTH_BYTES:
            return False
        for use in self._unsettled:
            use.estimated_bytes = 0
        for use, part in _shares(self._unsettled, grown):
            use.estimated_bytes = part
        return True

    def _held_bytes(self) -> int:
        """Return what the process holds; pages of files count although the system took them."""
        resident = Resident.now()
        self._most_mapped = max(self._most_mapped, resident.mapped)
        return resident.own + self._most_mapped - self._cached_bytes()


def _shares(uses: Collection[MemoryUse], amount: int) -> list[tuple[MemoryUse, int]]:
    """Share an amount by the models' sizes; growth goes to those whose load was not measured."""
    unknown = [use for use in uses if not use.is_measured] if amount > 0 else []
    sharing = unknown or list(uses)
    sizes = [use.total_bytes or 1 for use in sharing]
    return [(use, amount * size // sum(sizes)) for use, size in zip(sharing, sizes, strict=True)]
