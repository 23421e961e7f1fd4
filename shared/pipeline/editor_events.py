"""Answers the events of the editor: by the backend of the plan that knows them."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim
from shared.backend.editor_event import EVENT_KEY, EditorEvent
from shared.errors import ClientGoneError, PrelabelError, TaskError
from shared.pipeline.failures import FailureLog
from shared.pipeline.models import ModelRegistry
from shared.pipeline.plan import ModelStep, PredictionPlan
from shared.pipeline.prediction import Prediction, TaskOutcome
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import Result

logger = logging.getLogger(__name__)

# Models that run for events at the same time; what else is started waits for one of them.
MAX_RUNS = 16


class EditorEvents:
    """Answers events of all requests of a process. The threads start with the first run."""

    def __init__(self, models: ModelRegistry, failures: FailureLog) -> None:
        self._models = models
        self._failures = failures
        self._threads = ThreadPoolExecutor(MAX_RUNS, thread_name_prefix="event")

    def answer(
        self, plan: PredictionPlan, tasks: Iterable[Any], context: Context, scope: RequestScope
    ) -> list[TaskOutcome] | None:
        """Return the answer for each task; None if no backend of the plan answers the event."""
        found = [self._answer_task(plan, raw, context, scope) for raw in tasks]
        return [one for one in found if one is not None] if None not in found else None

    def close(self) -> None:
        """Stop after what is running."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer_task(
        self, plan: PredictionPlan, raw: Any, context: Context, scope: RequestScope
    ) -> TaskOutcome | None:
        names = plan.backend_names
        task_id = raw.get("id") if isinstance(raw, dict) else None
        try:
            results = self._ask_backends(plan, raw, context, scope)
        except ClientGoneError:
            raise
        except PrelabelError as error:
            self._failures.record_task(names, task_id, error)
            return TaskOutcome(error=error)
        except Exception as error:  # a backend may raise anything
            logger.error("An event failed in %s", names, exc_info=error)
            failure = TaskError(f"{names} failed on this event: {type(error).__name__}")
            self._failures.record_task(names, task_id, failure)
            return TaskOutcome(error=failure)
        if results is None:
            return None
        return TaskOutcome(prediction=Prediction(tuple(results), None, plan.version()))

    def _ask_backends(
        self, plan: PredictionPlan, raw: Any, context: Context, scope: RequestScope
    ) -> Sequence[Result] | None:
        name = context[EVENT_KEY]
        if not isinstance(name, str):
            raise TaskError(f"context.event should be a name, found {type(name).__name__}")
        for backend in _backends_of(plan):
            steps = [step for step in plan.steps if step.backend is backend]
            claims = [claim for step in steps for claim in step.claims]
            runs = _Runs(self._models, self._threads, steps, scope)
            answer = backend.answer_event(EditorEvent(name, context, raw, claims, runs))
            if answer is not None:
                return answer
        return None


def _backends_of(plan: PredictionPlan) -> Iterable[Backend]:
    return {id(step.backend): step.backend for step in plan.steps}.values()


@dataclass(frozen=True, eq=False)
class _Runs:
    """See `ModelRuns`."""

    registry: ModelRegistry
    threads: ThreadPoolExecutor
    steps: Sequence[ModelStep]
    scope: RequestScope

    def start(self, claim: Claim, item: Any) -> "Future[Any]":
        step = next(step for step in self.steps if claim in step.claims)
        return self.threads.submit(self._run, step, item)

    def wait_for(self, future: "Future[Any]") -> Any:
        return self.scope.wait_for(future)

    def pause(self, seconds: float) -> None:
        self.scope.pause(seconds)

    def _run(self, step: ModelStep, item: Any) -> Any:
        self.registry.pin([step.spec])
        try:
            queue = self.registry.get_or_load(step.backend, step.spec)
            return queue.submit(item, owner=self).result()
        finally:
            self.registry.unpin([step.spec])
