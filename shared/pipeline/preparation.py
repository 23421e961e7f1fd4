"""Lets models that answer clicks get ready for a task that has just been opened."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.errors import PrelabelError
from shared.label_studio.task import Task
from shared.pipeline.models import ModelRegistry
from shared.pipeline.plan import ModelStep, PredictionPlan

logger = logging.getLogger(__name__)

# Tasks that wait to be prepared; who opens more of them meanwhile waits at the first click.
MAX_WAITING = 16


class TaskPreparation:
    """Reads a task and runs the models that answer only what is drawn, while nobody waits.

    Their backends keep what they need again, such as the embedding of an image. The thread starts
    with the first task.
    """

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self._waiting = 0

    def start(self, plan: PredictionPlan, raw: Any) -> None:
        """Prepare a task in the background; nothing is done if too many are waiting."""
        for step in plan.steps:
            if step.interactive_only and self._waiting < MAX_WAITING:
                self._waiting += 1
                self._thread.submit(self._prepare, step, raw)

    def close(self) -> None:
        """Stop after the running task."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, step: ModelStep, raw: Any) -> None:
        self._models.pin([step.spec])
        try:
            queue = self._models.get_or_load(step.backend, step.spec)
            item = step.backend.read(Task.parse(raw), step.claims[0], None)
            for part in step.backend.split(item):
                queue.submit(part, owner=self).result()
        except PrelabelError as error:  # the first click will say so to the user
            logger.info("%s is not ready for a task: %s", step.spec.label, error)
        except Exception as error:  # a backend may raise anything
            logger.error("%s is not ready for a task", step.spec.label, exc_info=error)
        finally:
            self._models.unpin([step.spec])
            self._waiting -= 1
