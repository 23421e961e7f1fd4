"""Objects of a third-party model class: one per project and label config, one call at a time."""

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import Any

from shared.errors import DeadlineError, ModelError
from shared.label_studio.text_cache import TextCache
from shared.pipeline.scheduling.request_scope import DEADLINE_MESSAGE, RequestScope

# The id of a project, and its label config.
InstanceKey = tuple[str, str]
MAX_INSTANCES = 64


class ModelInstances:
    """Creates the objects, and keeps those that were used last.

    The model's own code, which may take long, runs in one `exclusive_call` at a time; objects that
    exist can be looked up meanwhile.
    """

    def __init__(self, model_class: type[Any]) -> None:
        self._class = model_class
        self._instances: TextCache[InstanceKey, Any] = TextCache(max_entries=MAX_INSTANCES)
        self._call_lock = threading.Lock()
        self._creator = ThreadPoolExecutor(1, thread_name_prefix="create model")

    @contextmanager
    def exclusive_call(self, scope: RequestScope) -> Iterator[None]:
        """Run no other call during the block; DeadlineError if others run for too long."""
        seconds = min(scope.seconds_left(), threading.TIMEOUT_MAX)
        if not self._call_lock.acquire(timeout=seconds):
            scope.raise_if_over()
            raise DeadlineError(DEADLINE_MESSAGE)
        try:
            scope.raise_if_over()
            yield
        finally:
            self._call_lock.release()

    def get_or_create(self, key: InstanceKey) -> Any:
        """Return the object. Only within an `exclusive_call`."""
        instance = self._instances.get(key)
        if instance is None:
            instance = self._create(key)
            self.put(key, instance)
        return instance

    def get_soon(self, key: InstanceKey, seconds: float) -> Any:
        """Return the object at any time; None if it has to be created and that takes longer."""
        instance = self._instances.get(key)
        if instance is not None:
            return instance
        try:
            return self._creator.submit(self._create_exclusively, key).result(seconds)
        except FutureTimeoutError:
            return None

    def create_another(self, key: InstanceKey) -> Any:
        """Return a new object, which is not kept, when no call runs."""
        with self._call_lock:
            return self._create(key)

    def put(self, key: InstanceKey, instance: Any) -> None:
        """Keep an object as the one for a project and label config."""
        self._instances.put(key, instance, characters=0)  # only their number is limited

    def all_instances(self) -> list[Any]:
        """Return the objects that are kept."""
        return self._instances.values()

    def _create_exclusively(self, key: InstanceKey) -> Any:
        with self._call_lock:
            return self.get_or_create(key)

    def _create(self, key: InstanceKey) -> Any:
        """Create an object by the signature of either generation of label-studio-ml."""
        project, xml = key
        arguments = {"label_config": xml, "train_output": {}}
        if "project_id" in inspect.signature(self._class.__init__).parameters:
            arguments = {"project_id": project, "label_config": xml}
        try:
            return self._class(**arguments)
        except SystemExit:  # which would end the server's process
            name = self._class.__name__
            raise ModelError(f"{name} ends the program (SystemExit) instead of loading") from None
