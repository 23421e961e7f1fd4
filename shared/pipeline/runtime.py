"""What a process has once: its models, their outputs, its pipeline."""

import os
import threading

from shared.backend.process_resources import Resources, reset_resources, shared_resources
from shared.media.reader import MB
from shared.pipeline.failures import FailureLog
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.planner import Planner
from shared.pipeline.runner import Pipeline


class Runtime:
    """Created on first use, in the process that uses it: threads do not survive a fork."""

    def __init__(self, resources: Resources) -> None:
        self.settings = settings = resources.settings
        self.failures = FailureLog()
        self.metrics = PipelineMetrics()
        self.output_cache = OutputCache(int(settings.answer_cache_mb * MB))
        max_bytes = int(settings.model_memory * MB)
        self.models = ModelRegistry(self.metrics, resources.weights_hashes, max_bytes)
        self.planner = Planner(self.models, settings.task_score)
        self.pid = os.getpid()
        self.is_closed = False
        self.pipeline = Pipeline(self.models, self.failures, self.metrics, self.output_cache)

    def close(self) -> None:
        """Stop the threads."""
        self.is_closed = True
        self.pipeline.close()
        self.models.close()


_lock = threading.Lock()
_current: dict[int, Runtime] = {}


def runtime() -> Runtime:
    """Return the runtime of this process. For entry points: others are given what they need."""
    current = _current.get(os.getpid())
    if current is None:
        with _lock:
            current = _current.get(os.getpid())
            if current is None:
                _current.clear()
                current = _current[os.getpid()] = Runtime(shared_resources())
    return current


def reset_runtime() -> None:
    """Close this process's runtime, and forget all settings so that they are read again."""
    with _lock:
        current = _current.pop(os.getpid(), None)
    if current is not None:
        current.close()
    reset_resources()
