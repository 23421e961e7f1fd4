"""The loaded models of this process: each loaded once, with its version and its queue."""

import gc
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.backend.claim import Claim, ModelSpec
from shared.errors import ModelError
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.scheduling.batch_queue import InlineModel, ModelQueue

if TYPE_CHECKING:
    from shared.backend.base import Backend

logger = logging.getLogger(__name__)

# Seconds after which a model that could not be loaded is tried again.
RETRY_AFTER_SECONDS = 30.0


@dataclass
class LoadedModel:
    """One model: waiting, loading, loaded, unloaded to make room, or failed with a reason.

    `memory` is an estimate in bytes: what the process grew by while it was loaded by itself,
    and at least the size of its files. `users` counts the requests that use it. `knows` counts
    the labels of a claim that the loaded model has a class for.
    """

    spec: ModelSpec
    loading: threading.Lock = field(default_factory=threading.Lock)
    hashing: threading.Lock = field(default_factory=threading.Lock)
    state: str = "waiting"
    weights_hash: str | None = None
    queue: ModelQueue | InlineModel | None = None
    knows: Callable[[Claim], int] | None = None
    error: str | None = None
    failed_at: float = 0.0
    seconds: float = 0.0
    memory: int = 0
    users: int = 0
    used_at: float = 0.0


class ModelRegistry:
    """Loads models on first use. Loading one does not wait for another.

    When more than `limit` bytes are loaded (0: any), those not used for the longest leave.
    """

    def __init__(self, figures: PipelineMetrics, limit: int = 0) -> None:
        self._figures = figures
        self._limit = limit
        self._slots: dict[ModelSpec, LoadedModel] = {}
        self._lock = threading.Lock()
        self._loads = self._loading = 0

    def get_or_load(self, backend: "Backend", spec: ModelSpec) -> ModelQueue | InlineModel:
        """The queue of the loaded model, which is loaded if need be; ModelError if it cannot."""
        slot = self._slot(spec)
        found = slot.queue
        while found is None:
            with slot.loading:
                if slot.queue is None:
                    self._attempt(slot, backend, lambda: self._load(slot, backend))
                found = slot.queue
        return found

    def get(self, spec: ModelSpec) -> ModelQueue | InlineModel | None:
        """The model's queue if it is loaded already, without waiting."""
        return self._slot(spec).queue

    def labels_known(self, claim: Claim) -> int:
        """How many of a claim's labels its model has a class for; 0 while that is not loaded."""
        knows = self._slot(claim.spec).knows
        return 0 if knows is None else knows(claim)

    def settled(self, spec: ModelSpec) -> bool:
        """Whether the model is loaded, or cannot be."""
        slot = self._slot(spec)
        return slot.queue is not None or slot.error is not None

    def pin(self, specs: Iterable[ModelSpec]) -> None:
        """A request uses these models: they stay until it lets them go."""
        for spec in specs:
            slot = self._slot(spec)
            with self._lock:
                slot.users += 1

    def unpin(self, specs: Iterable[ModelSpec]) -> None:
        """The request is done with them."""
        now = time.monotonic()
        for spec in specs:
            slot = self._slot(spec)
            with self._lock:
                slot.users -= 1
                slot.used_at = now

    def weights_hash(self, backend: "Backend", spec: ModelSpec) -> str:
        """The hash of the model's files, which are fetched if need be, but not loaded.

        It does not wait for a load that is under way.
        """
        slot = self._slot(spec)
        if slot.weights_hash is None:
            self._attempt(slot, backend, lambda: self._hash(slot, backend))
        assert slot.weights_hash is not None
        return slot.weights_hash

    def known_weights_hash(self, backend: "Backend", spec: ModelSpec) -> str | None:
        """The same if it is known already, without waiting."""
        slot = self._slot(spec)
        if slot.weights_hash is None and not backend.has_weights:
            slot.weights_hash = hash_files(())
        return slot.weights_hash

    def load_error(self, spec: ModelSpec) -> str | None:
        """Why the model could not be loaded, if so."""
        return self._slot(spec).error

    def all_models(self) -> list[LoadedModel]:
        """All models asked for so far, by name."""
        with self._lock:
            return sorted(self._slots.values(), key=lambda slot: slot.spec.label)

    def close(self) -> None:
        """Stop the workers; what is queued is cancelled."""
        for slot in self.all_models():
            if slot.queue is not None:
                slot.queue.close()

    def _slot(self, spec: ModelSpec) -> LoadedModel:
        slot = self._slots.get(spec)
        if slot is None:
            with self._lock:
                slot = self._slots.setdefault(spec, LoadedModel(spec))
        return slot

    def _attempt(self, slot: LoadedModel, backend: "Backend", work: Callable[[], None]) -> None:
        if slot.error is not None and time.monotonic() - slot.failed_at < RETRY_AFTER_SECONDS:
            raise ModelError(slot.error)
        try:
            problem = type(backend).problem()
            if problem is not None:
                raise ModelError(problem)
            work()
            slot.error = None
            if slot.state == "failed":
                slot.state = "waiting"
        except (Exception, SystemExit) as error:  # a model library may raise anything
            slot.state, slot.failed_at = "failed", time.monotonic()
            slot.error = _sentence(slot.spec, error)
            logger.error("%s", slot.error, exc_info=not isinstance(error, ModelError))
            raise ModelError(slot.error) from None

    def _hash(self, slot: LoadedModel, backend: "Backend", anew: bool = False) -> None:
        with slot.hashing:
            if slot.weights_hash is None or anew:
                slot.weights_hash = hash_files(backend.weights(slot.spec))

    def _load(self, slot: LoadedModel, backend: "Backend") -> None:
        start, again = time.monotonic(), slot.state == "unloaded"
        slot.state = "loading"
        self._hash(slot, backend, anew=again)
        size = sum(_size(path) for path in backend.weights(slot.spec))
        self._make_room(slot, max(size, slot.memory))
        model, grown = self._measured(lambda: backend.load(slot.spec))
        slot.memory = max(size, grown)
        slot.knows = partial(backend.labels_known, model)
        slot.queue = self._served(slot.spec, backend, model)
        slot.seconds = time.monotonic() - start
        slot.used_at = time.monotonic()
        slot.state = "loaded"
        logger.info(
            "Loaded %s in %.1f s (%.0f MB)", slot.spec.label, slot.seconds, slot.memory / 1e6
        )
        self._make_room(slot, 0)

    def _measured(self, load: Callable[[], Any]) -> tuple[Any, int]:
        """A model, and by how many bytes the process grew; 0 if another was loaded meanwhile."""
        with self._lock:
            self._loads += 1
            self._loading += 1
            this, alone = self._loads, self._loading == 1
        before = resident_bytes()
        try:
            model = load()
        finally:
            with self._lock:
                self._loading -= 1
        return model, resident_bytes() - before if alone and self._loads == this else 0

    def _served(self, spec: ModelSpec, backend: "Backend", model: Any) -> ModelQueue | InlineModel:
        label = spec.label

        def infer(items: list[Any]) -> Any:
            return backend.infer(model, items)

        def ran(items: int, seconds: float) -> None:
            self._figures.observe_stage("infer", backend.name, seconds)
            self._figures.observe_batch(label, items)

        if backend.inline:
            return InlineModel(infer, label)
        return ModelQueue(infer, backend.items_at_once(spec), label, ran, backend.item_size)

    def _make_room(self, new: LoadedModel, needed: int) -> None:
        """Unload what nobody uses until `needed` bytes more are in the limit, or none is left."""
        if not self._limit:
            return
        left: list[LoadedModel] = []
        with self._lock:
            loaded = [slot for slot in self._slots.values() if slot.queue is not None]
            total = sum(slot.memory for slot in loaded) + needed
            for slot in sorted(loaded, key=lambda slot: slot.used_at):
                if total > self._limit and not slot.users and slot is not new and slot.memory:
                    total -= slot.memory
                    left.append(slot)
                    queue, slot.queue, slot.state = slot.queue, None, "unloaded"
                    slot.knows = None
                    if queue is not None:
                        queue.close()
        for slot in left:
            logger.info("Unloaded %s: MODEL_MEMORY is full", slot.spec.label)
        if left:
            gc.collect()
        if total > self._limit:
            logger.warning(
                "The models in use take %.0f MB; MODEL_MEMORY allows %.0f",
                total / 1e6,
                self._limit / 1e6,
            )


def resident_bytes() -> int:
    """The memory that this process has in use; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def hash_files(paths: Iterable[Path]) -> str:
    """The SHA-256 of the names and SHA-256 of files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                content.update(block)
        digest.update(f"{path.name}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()


def _sentence(spec: ModelSpec, error: BaseException) -> str:
    if isinstance(error, ModelError):
        return str(error)
    return f"{spec.label} could not be loaded: {type(error).__name__} (the log has the details)"
