"""What a process has once: its models, their outputs, its pipeline."""

import os

from shared.backend.process_resources import (
    OncePerProcess,
    Resources,
    reset_resources,
    shared_resources,
)
from shared.media.reader import MB
from shared.pipeline.failures import FailureLog
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.planner import Planner
from shared.pipeline.runner import Pipeline
from shared.pipeline.tracing import Tracing


class Runtime:
    """One for each process."""

    def __init__(self, resources: Resources) -> None:
        self.settings = settings = resources.settings
        self.failures = FailureLog()
        self.tracing = Tracing(settings)
        self.metrics = PipelineMetrics(self.tracing)
        self.output_cache = OutputCache(int(settings.answer_cache_mb * MB))
        max_bytes = int(settings.model_memory * MB)
        self.models = ModelRegistry(
            self.metrics,
            resources.weights_hashes,
            max_bytes,
            lambda: self.output_cache.bytes + resources.cached_bytes(),
        )
        self.planner = Planner(self.models, settings.task_score)
        self.pid = os.getpid()
        self.is_closed = False
        self.pipeline = Pipeline(self.models, self.failures, self.metrics, self.output_cache)

    def close(self) -> None:
        """Stop the threads, and send the traces that are left."""
        self.is_closed = True
        self.pipeline.close()
        self.models.close()
        self.tracing.close()


_runtime = OncePerProcess(lambda: Runtime(shared_resources()))


def runtime() -> Runtime:
    """Return the runtime of this process. For entry points: others are given what they need."""
    return _runtime.get()


def reset_runtime() -> None:
    """Close this process's runtime, and forget all settings so that they are read again."""
    current = _runtime.take()
    if current is not None:
        current.close()
    reset_resources()
