"""The models of this process: each is loaded once, and has a queue of its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.backend.weights import WeightsHashes
from shared.errors import ModelError, PrelabelError
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.model_memory import MemoryUse, ModelMemory
from shared.pipeline.scheduling.batch_queue import InlineModel, ModelQueue
from shared.pipeline.scheduling.concurrent_calls import ConcurrentCalls

logger = logging.getLogger(__name__)

AnyQueue = ModelQueue | InlineModel | ConcurrentCalls

# After this long a model that could not be loaded is tried again.
RETRY_AFTER_SECONDS = 30.0
# A model whose files are replaced while they are loaded is loaded again, so often in all.
MAX_LOADS = 3
# How long a model that is unloaded may take to end its last batch, before its memory is freed.
CLOSE_SECONDS = 10.0


@dataclass
class ModelEntry:
    """One model: waiting, loading, loaded, unloaded to free memory, or failed with an error.

    `pin_count` is the number of requests that use it.
    """

    spec: ModelSpec
    load_lock: threading.Lock = field(default_factory=threading.Lock)
    state: str = "waiting"
    weights_hash: str | None = None
    queue: AnyQueue | None = None
    count_known_labels: Callable[[Claim], int] | None = None
    embed: Callable[[list[Any], Sequence[Claim]], Any] | None = None
    engine: str = ""
    error: str | None = None
    failed_at: float = 0.0
    load_seconds: float = 0.0
    memory: MemoryUse = field(default_factory=MemoryUse)
    pin_count: int = 0
    last_used: float = 0.0

    @property
    def memory_bytes(self) -> int:
        """What it takes of the process's memory, as far as that is known."""
        return self.memory.total_bytes

    def detach(self) -> AnyQueue:
        """Return the queue of a loaded model that is unloaded: it holds the model."""
        assert self.queue is not None
        queue, self.queue, self.state = self.queue, None, "unloaded"
        self.count_known_labels = self.embed = None
        return queue


class ModelRegistry:
    """Loads models on first use. Loading one does not wait for another.

    When the loaded ones take more than `max_bytes` (0: no limit), those not used for longest are
    unloaded. `cached_bytes` returns what the process's caches hold, which is no model's.
    """

    def __init__(
        self,
        metrics: PipelineMetrics,
        hashes: WeightsHashes,
        max_bytes: int = 0,
        cached_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self._metrics = metrics
        self._hashes = hashes
        self._max_bytes = max_bytes
        self._memory = ModelMemory(is_limited=max_bytes > 0, cached_bytes=cached_bytes)
        self._entries: dict[ModelSpec, ModelEntry] = {}
        self._lock = threading.Lock()

    def get_or_load(self, backend: Backend, spec: ModelSpec) -> AnyQueue:
        """Return the model's queue, loading it if need be; ModelError if it cannot be loaded."""
        entry = self._entry(spec)
        queue = entry.queue
        while queue is None:  # again, should it be unloaded at once
            with entry.load_lock:
                if entry.queue is None:
                    self._load_or_fail(entry, backend, lambda: self._load(entry, backend))
                queue = entry.queue
        return queue

    def get(self, spec: ModelSpec) -> AnyQueue | None:
        """Return the model's queue if it is loaded, without waiting."""
        return self._entry(spec).queue

    def count_known_labels(self, claim: Claim) -> int:
        """Return for how many labels of a claim its model has a class; 0 while it is not loaded."""
        count = self._entry(claim.spec).count_known_labels
        return 0 if count is None else count(claim)

    def embed(self, backend: Backend, items: list[Any], claims: Sequence[Claim]) -> Any:
        """Return a vector for each item, by the model of the claims; it is loaded if need be.

        For commands, in which nothing else uses the model at the same time.
        """
        entry = self._entry(claims[0].spec)
        self.get_or_load(backend, claims[0].spec)
        if entry.embed is None:
            raise ModelError(f"{claims[0].spec.label} was unloaded: MODEL_MEMORY is full")
        return self._run(entry, partial(entry.embed, items, claims))

    def is_settled(self, spec: ModelSpec) -> bool:
        """Return whether the model is loaded, or cannot be."""
        entry = self._entry(spec)
        return entry.queue is not None or entry.error is not None

    def pin(self, specs: Iterable[ModelSpec]) -> None:
        """Keep models loaded until `unpin`: a request uses them."""
        self._memory.begin_request()
        with self._lock:
            for spec in specs:
                self._entries.setdefault(spec, ModelEntry(spec)).pin_count += 1

    def unpin(self, specs: Iterable[ModelSpec]) -> None:
        """Undo `pin`."""
        now = time.monotonic()
        with self._lock:
            for spec in specs:
                entry = self._entries[spec]
                entry.pin_count -= 1
                entry.last_used = now
        if self._memory.end_request():
            self._free_memory()

    def unload(self, specs: Iterable[ModelSpec]) -> list[ModelSpec]:
        """Unload models for which no plan is left, and give their memory back.

        Returns those that a request still uses, or that are just being loaded: they stay.
        """
        busy: list[ModelSpec] = []
        unused: list[ModelEntry] = []
        queues: list[AnyQueue] = []
        with self._lock:
            for spec in specs:
                entry = self._entries.get(spec)
                if entry is None:
                    continue
                if entry.pin_count or entry.load_lock.locked():
                    busy.append(spec)
                else:
                    if entry.queue is not None:
                        unused.append(entry)
                        queues.append(entry.detach())
                    if spec.trained_version:
                        del self._entries[spec]  # a version never changes, and may be removed
        self._drop(unused, queues)
        for entry in unused:
            logger.info("Unloaded %s: nothing uses it any more", entry.spec.label)
        return busy

    def weights_hash(self, backend: Backend, spec: ModelSpec) -> str:
        """Return the hash of the model's files, fetching them if need be; ModelError if it fails.

        Does not wait for a load that is under way.
        """
        if self.known_weights_hash(backend, spec) is None:
            entry = self._entry(spec)
            self._load_or_fail(entry, backend, lambda: self._hashes.compute(backend, spec))
        return self._hashes.compute(backend, spec)

    def known_weights_hash(self, backend: Backend, spec: ModelSpec) -> str | None:
        """Return the hash if it is known already, without waiting."""
        entry = self._entry(spec)
        if entry.weights_hash is None:
            entry.weights_hash = self._hashes.get(backend, spec)
        return entry.weights_hash

    def load_error(self, spec: ModelSpec) -> str | None:
        """Return why the model could not be loaded, if so."""
        return self._entry(spec).error

    def all_models(self) -> list[ModelEntry]:
        """Return all models asked for so far, by name."""
        with self._lock:
            return sorted(self._entries.values(), key=lambda entry: entry.spec.label)

    def close(self) -> None:
        """Stop the queues; what is queued is cancelled."""
        for entry in self.all_models():
            if entry.queue is not None:
                entry.queue.close()

    def _entry(self, spec: ModelSpec) -> ModelEntry:
        entry = self._entries.get(spec)
        if entry is None:
            with self._lock:
                entry = self._entries.setdefault(spec, ModelEntry(spec))
        return entry

    def _load_or_fail(self, entry: ModelEntry, backend: Backend, work: Callable[[], Any]) -> None:
        """Do a part of loading; its error is kept, and raised again until a retry is due."""
        if entry.error is not None and time.monotonic() - entry.failed_at < RETRY_AFTER_SECONDS:
            raise ModelError(entry.error)
        try:
            reason = type(backend).unavailable_reason()
            if reason is not None:
                raise ModelError(reason)
            work()
            entry.error = None
            if entry.state == "failed":
                entry.state = "waiting"
        except (Exception, SystemExit) as error:  # a model library may raise anything
            entry.state, entry.failed_at = "failed", time.monotonic()
            entry.error = _describe_load_error(entry.spec, error)
            logger.error("%s", entry.error, exc_info=not isinstance(error, PrelabelError))
            raise ModelError(entry.error) from None

    def _load(self, entry: ModelEntry, backend: Backend) -> None:
        start, was_unloaded = time.monotonic(), entry.state == "unloaded"
        entry.state = "loading"
        # Its files may be others by now, such as those that could not be loaded before.
        entry.weights_hash = self._hashes.renew(backend, entry.spec, again=was_unloaded)
        file_bytes = sum(_file_size(path) for path in backend.weights(entry.spec))
        entry.memory.least_bytes = max(file_bytes, entry.memory.least_bytes)
        self._free_memory(entry, entry.memory.least_bytes)
        model = self._memory.load(entry.memory, lambda: self._load_unchanged(entry, backend))
        entry.count_known_labels = partial(backend.count_known_labels, model)
        entry.embed = partial(backend.embed, model)
        entry.engine = backend.describe_engine(model)
        entry.memory.is_on_cpu = bool(entry.engine) and "cuda" not in entry.engine
        entry.queue = self._open_queue(entry, backend, model)
        entry.load_seconds = time.monotonic() - start
        entry.last_used = time.monotonic()
        entry.state = "loaded"
        logger.info(
            "Loaded %s in %.1f s (%.0f MB)",
            entry.spec.label,
            entry.load_seconds,
            entry.memory_bytes / 1e6,
        )
        self._free_memory(entry)

    def _load_unchanged(self, entry: ModelEntry, backend: Backend) -> Any:
        """Load a model; again if its files are replaced meanwhile: the hash is of what serves."""
        for _ in range(MAX_LOADS):
            model = backend.load(entry.spec)
            if not self._hashes.have_changed(entry.spec):
                return model
            del model
            entry.weights_hash = self._hashes.renew(backend, entry.spec)
        raise ModelError("Its files change again and again while they are loaded")

    def _open_queue(self, entry: ModelEntry, backend: Backend, model: Any) -> AnyQueue:
        spec, label = entry.spec, entry.spec.label

        def infer(items: list[Any]) -> Any:
            return backend.infer(model, items)

        def infer_batch(items: list[Any]) -> Any:
            return self._run(entry, partial(backend.infer, model, items))

        def observe_batch(items: int, seconds: float) -> None:
            self._metrics.observe_stage("infer", backend.name, seconds)
            self._metrics.observe_batch(label, items)

        if backend.inline:
            return InlineModel(infer, label)
        calls = backend.concurrent_calls(spec)
        if calls:
            return ConcurrentCalls(infer_batch, calls, label, observe_batch, self._metrics.tracing)
        lanes = backend.batch_lanes(spec, model)
        return ModelQueue(
            infer_batch,
            lanes.max_items,
            label,
            observe_batch,
            backend.item_size,
            self._metrics.tracing,
            lanes.threads,
        )

    def _run(self, entry: ModelEntry, work: Callable[[], Any]) -> Any:
        """Let a model work, and see what that takes of the memory."""
        self._memory.begin_batch(entry.memory)
        try:
            return work()
        finally:
            if self._memory.end_batch():
                self._free_memory(entry)

    def _drop(self, unused: Sequence[ModelEntry], queues: list[AnyQueue]) -> None:
        """Stop queues that nothing uses any more, the last that hold their models."""

        def close() -> None:
            while queues:
                queue = queues.pop()
                queue.close()
                queue.join(CLOSE_SECONDS)

        if queues:
            self._memory.unload([entry.memory for entry in unused], close)

    def _free_memory(self, kept: ModelEntry | None = None, needed_bytes: int = 0) -> None:
        """Unload models that no request uses until `needed_bytes` more fit, or none is left."""
        if not self._max_bytes:
            return
        unused: list[ModelEntry] = []
        queues: list[AnyQueue] = []
        with self._lock:
            loaded = [entry for entry in self._entries.values() if entry.queue is not None]
            total = sum(entry.memory_bytes for entry in loaded) + needed_bytes
            for entry in sorted(loaded, key=lambda entry: entry.last_used):
                is_free = not entry.pin_count and entry is not kept and entry.memory_bytes
                if total > self._max_bytes and is_free:
                    total -= entry.memory_bytes
                    unused.append(entry)
                    queues.append(entry.detach())
        self._drop(unused, queues)
        for entry in unused:
            logger.info("Unloaded %s: MODEL_MEMORY is full", entry.spec.label)
        if total > self._max_bytes:
            logger.warning(
                "The models in use take %.0f MB; MODEL_MEMORY allows %.0f",
                total / 1e6,
                self._max_bytes / 1e6,
            )


def _file_size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _describe_load_error(spec: ModelSpec, error: BaseException) -> str:
    if isinstance(error, PrelabelError):
        return str(error)
    return f"{spec.label} could not be loaded: {type(error).__name__} (the log has the details)"
