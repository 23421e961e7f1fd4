"""What one process has once: its models, their answers, its pipeline."""

import os
import threading

from shared.media.reader import MB, MediaReader
from shared.pipeline.failures import FailureLog
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.runner import Pipeline
from shared.settings import Settings, hold_libraries, read_settings


class Runtime:
    """Made on first use, in the process that uses it: nothing here survives a fork."""

    def __init__(self, settings: Settings) -> None:
        hold_libraries()
        self.settings = settings
        self.failures = FailureLog()
        self.media = MediaReader(settings)
        self.metrics = PipelineMetrics()
        self.output_cache = OutputCache(int(settings.answer_cache_mb * MB))
        self.models = ModelRegistry(self.metrics, int(settings.model_memory * MB))
        self.pipeline = Pipeline(self.models, self.failures, self.metrics, self.output_cache)

    def close(self) -> None:
        """Stop its threads."""
        self.pipeline.close()
        self.models.close()
        self.media.close()


_lock = threading.Lock()
_current: dict[int, Runtime] = {}


def runtime() -> Runtime:
    """The runtime of this process."""
    found = _current.get(os.getpid())
    if found is None:
        with _lock:
            found = _current.get(os.getpid())
            if found is None:
                _current.clear()
                found = _current[os.getpid()] = Runtime(read_settings(Settings))
    return found


def reset_runtime() -> None:
    """Close this process's runtime and forget all settings, so that they are read anew."""
    with _lock:
        found = _current.pop(os.getpid(), None)
        read_settings.cache_clear()
    if found is not None:
        found.close()
