"""Objects of somebody else's model class: one a project and label config, one call at a time."""

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from typing import Any

from shared.errors import DeadlineError, ModelError
from shared.lru_cache import LRUCache
from shared.pipeline.scheduling.request_scope import DEADLINE_MESSAGE, RequestScope

# A project and its label config.
Key = tuple[str, str]
# Objects that are kept, those that were used last.
INSTANCES = 64


class Instances:
    """Makes the objects and keeps them.

    Whoever calls the model's own code has a `turn`, which may take long; what is kept can be
    looked up meanwhile.
    """

    def __init__(self, model_class: type[Any]) -> None:
        self._class = model_class
        self._kept: LRUCache[Key, Any] = LRUCache(count=INSTANCES)
        self._calls = threading.Lock()
        self._making = ThreadPoolExecutor(1, thread_name_prefix="make")

    @contextmanager
    def turn(self, waiting: RequestScope) -> Iterator[None]:
        """While in the block no other call runs; DeadlineError if that is not so in time."""
        if not self._calls.acquire(timeout=min(waiting.seconds_left(), threading.TIMEOUT_MAX)):
            waiting.raise_if_over()
            raise DeadlineError(DEADLINE_MESSAGE)
        try:
            waiting.raise_if_over()
            yield
        finally:
            self._calls.release()

    def get(self, key: Key) -> Any:
        """Return the object, made if need be. Only for who has the turn."""
        found = self._kept.get(key)
        if found is None:
            found = self._make(key)
            self.keep(key, found)
        return found

    def new(self, key: Key) -> Any:
        """Return another object, which is not kept, when no call runs."""
        with self._calls:
            return self._make(key)

    def soon(self, key: Key, seconds: float) -> Any:
        """Return the object, whatever runs; None if it has to be made and that takes longer."""
        found = self._kept.get(key)
        if found is not None:
            return found
        try:
            return self._making.submit(self._made, key).result(seconds)
        except Late:
            return None

    def keep(self, key: Key, model: Any) -> None:
        """Let an object be the one for a project and label config."""
        self._kept.put(key, model, characters=0)

    def values(self) -> list[Any]:
        """Return all that are kept."""
        return self._kept.values()

    def _made(self, key: Key) -> Any:
        with self._calls:
            return self.get(key)

    def _make(self, key: Key) -> Any:
        """Make an object, by either generation's signature."""
        project, xml = key
        given = {"label_config": xml, "train_output": {}}
        if "project_id" in inspect.signature(self._class.__init__).parameters:
            given = {"project_id": project, "label_config": xml}
        try:
            return self._class(**given)
        except SystemExit:  # which would end the server's process
            name = self._class.__name__
            raise ModelError(f"{name} ends the program (SystemExit) instead of loading") from None
