"""The loaded models of this process: each loaded once, with its version and its queue."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.batching import ModelQueue
from shared.claim import ModelSpec
from shared.errors import ModelError

if TYPE_CHECKING:
    from shared.backend import Backend

logger = logging.getLogger(__name__)

RETRY_AFTER = 30.0
"""Seconds after which a model that could not be loaded is tried again."""


@dataclass
class Slot:
    """One model: not loaded, loading, loaded, or failed with a reason."""

    spec: ModelSpec
    loading: threading.Lock = field(default_factory=threading.Lock)
    hashing: threading.Lock = field(default_factory=threading.Lock)
    state: str = "waiting"
    digest: str | None = None
    queue: ModelQueue | None = None
    error: str | None = None
    failed_at: float = 0.0
    seconds: float = 0.0


class ModelStore:
    """Loads models on first use. Loading one does not wait for another."""

    def __init__(self) -> None:
        self._slots: dict[ModelSpec, Slot] = {}
        self._lock = threading.Lock()

    def queue(self, backend: "Backend", spec: ModelSpec) -> ModelQueue:
        """The queue of the loaded model, which is loaded if need be; ModelError if it cannot."""
        slot = self._slot(spec)
        if slot.queue is None:
            with slot.loading:
                if slot.queue is None:
                    self._attempt(slot, backend, lambda: self._load(slot, backend))
        assert slot.queue is not None
        return slot.queue

    def loaded(self, spec: ModelSpec) -> ModelQueue | None:
        """The model's queue if it is loaded already, without waiting."""
        return self._slot(spec).queue

    def find_weights(self, backend: "Backend", spec: ModelSpec) -> str:
        """The hash of the model's files, which are fetched if need be, but not loaded.

        It does not wait for a load that is under way.
        """
        slot = self._slot(spec)
        if slot.digest is None:
            self._attempt(slot, backend, lambda: self._hash(slot, backend))
        assert slot.digest is not None
        return slot.digest

    def weights_digest(self, backend: "Backend", spec: ModelSpec) -> str | None:
        """The same if it is known already, without waiting."""
        slot = self._slot(spec)
        if slot.digest is None and not backend.has_weights:
            slot.digest = digest_of(())
        return slot.digest

    def failed(self, spec: ModelSpec) -> str | None:
        """Why the model could not be loaded, if so."""
        return self._slot(spec).error

    def slots(self) -> list[Slot]:
        """All models asked for so far, by name."""
        with self._lock:
            return sorted(self._slots.values(), key=lambda slot: slot.spec.label)

    def close(self) -> None:
        """Stop the workers; what is queued is cancelled."""
        for slot in self.slots():
            if slot.queue is not None:
                slot.queue.close()

    def _slot(self, spec: ModelSpec) -> Slot:
        slot = self._slots.get(spec)
        if slot is None:
            with self._lock:
                slot = self._slots.setdefault(spec, Slot(spec))
        return slot

    def _attempt(self, slot: Slot, backend: "Backend", work: Callable[[], None]) -> None:
        if slot.error is not None and time.monotonic() - slot.failed_at < RETRY_AFTER:
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

    def _hash(self, slot: Slot, backend: "Backend") -> None:
        with slot.hashing:
            if slot.digest is None:
                slot.digest = digest_of(backend.weights(slot.spec))

    def _load(self, slot: Slot, backend: "Backend") -> None:
        start = time.monotonic()
        slot.state = "loading"
        self._hash(slot, backend)
        model = backend.load(slot.spec)

        def infer(items: list[Any]) -> Any:
            return backend.infer(model, items)

        slot.queue = ModelQueue(infer, backend.items_at_once(slot.spec), slot.spec.label)
        slot.seconds = time.monotonic() - start
        slot.state = "loaded"
        logger.info("Loaded %s in %.1f s", slot.spec.label, slot.seconds)


def digest_of(paths: Iterable[Path]) -> str:
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
