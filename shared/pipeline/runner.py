"""Runs tasks through a plan: read, infer, regions, prediction. A failure costs one task."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from shared.backend.base import Context
from shared.backend.editor_event import EVENT_KEY
from shared.errors import (
    ClientGoneError,
    ConfigError,
    DeadlineError,
    InferenceError,
    LabelsError,
    ModelError,
    PrelabelError,
    UnfillableError,
)
from shared.label_studio.task import Task
from shared.pipeline.editor_events import EditorEvents
from shared.pipeline.failures import FailureLog
from shared.pipeline.inputs import InputReader, PendingTask, RequestRun
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import AnyQueue, ModelRegistry
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.plan import ModelStep, PredictionPlan
from shared.pipeline.prediction import Prediction, TaskOutcome
from shared.pipeline.preparation import TaskPreparation
from shared.pipeline.prompted_claims import without_missing_prompts
from shared.pipeline.scheduling.batch_queue import InlineModel
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import Omission, Region

logger = logging.getLogger(__name__)

# How many reasons why a task cannot be filled an error names, and how many characters of each.
MAX_REASONS = 3
MAX_REASON_LENGTH = 1000
# Threads that load models, so that a request can stop waiting for one at its deadline.
LOADER_THREADS = 16


class Pipeline:
    """Runs the tasks of all requests of a process."""

    def __init__(
        self,
        models: ModelRegistry,
        failures: FailureLog,
        metrics: PipelineMetrics,
        output_cache: OutputCache,
    ) -> None:
        self._models = models
        self._failures = failures
        self._metrics = metrics
        self._inputs = InputReader(models, metrics, output_cache)
        self._preparation = TaskPreparation(models)
        self._events = EditorEvents(models, failures)
        self._loaders = ThreadPoolExecutor(LOADER_THREADS, thread_name_prefix="load")

    def run(
        self,
        plan: PredictionPlan,
        tasks: Iterable[Any],
        context: Context | None = None,
        scope: RequestScope | None = None,
    ) -> Generator[TaskOutcome, None, None]:
        """Yield the outcome of each task, in order, while later tasks are read and inferred.

        A caller that may stop early must close the generator (`contextlib.closing`): until then
        its models stay loaded and its tasks queued. Once `scope` is over, unfinished tasks end in
        DeadlineError; ClientGoneError is raised if the client has disconnected.
        """
        scope = scope or RequestScope(interactive=context is not None)
        if context is not None and EVENT_KEY in context:
            return self._answer_event(plan, list(tasks), context, scope)
        return self._run_plan(plan, tasks, context, scope)

    def close(self) -> None:
        """Stop the threads."""
        self._inputs.close()
        self._preparation.close()
        self._events.close()
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _answer_event(
        self, plan: PredictionPlan, tasks: Sequence[Any], context: Context, scope: RequestScope
    ) -> Generator[TaskOutcome, None, None]:
        """Yield the answers of the backend that knows the event; else predict what is drawn."""
        answers = self._events.answer(plan, tasks, context, scope)
        yield from self._run_plan(plan, tasks, context, scope) if answers is None else answers

    def _run_plan(
        self,
        plan: PredictionPlan,
        tasks: Iterable[Any],
        context: Context | None,
        scope: RequestScope,
    ) -> Generator[TaskOutcome, None, None]:
        if not plan.steps:  # the plan's problems say why
            error = ConfigError("Nothing in the label config can be filled")
            yield from (TaskOutcome(error=error) for _ in tasks)
            return
        if context is None and scope.interactive:
            tasks = self._prepared(plan, tasks)
        if context is None and plan.answers_only_drawn:
            error = ConfigError(f"{plan.backend_names} fills only what is clicked or drawn")
            yield from (TaskOutcome(error=error) for _ in tasks)
            return
        specs = [step.spec for step in plan.steps]
        self._models.pin(specs)
        try:
            models, load_error = self._load_models(plan, context, scope)
            run = RequestRun(plan, models, plan.version(), context, scope, plan.config)
            yield from self._run_tasks(run, tasks, load_error)
        finally:
            self._models.unpin(specs)

    def _prepared(self, plan: PredictionPlan, tasks: Iterable[Any]) -> Iterator[Any]:
        """Yield tasks that a user has opened, for which models that answer clicks get ready."""
        for raw in tasks:
            self._preparation.start(plan, raw)
            yield raw

    def _load_models(
        self, plan: PredictionPlan, context: Context | None, scope: RequestScope
    ) -> tuple[list[tuple[ModelStep, AnyQueue]], PrelabelError | None]:
        """Return the loaded models of a plan, or the error for which its tasks cannot be predicted.

        A model that cannot be loaded takes no part, and the version says so. One that is still
        being loaded at the deadline fails all tasks: Label Studio would never ask again for a
        prediction that lacks it.
        """
        models: list[tuple[ModelStep, AnyQueue]] = []
        load_error: PrelabelError | None = None
        for step in plan.steps:
            if context is None and step.interactive_only:
                continue
            if context is not None and not step.backend.answers(context, step.claims):
                continue
            try:
                models.append((step, self._load_model(step, scope)))
            except DeadlineError as error:
                return [], error
            except ModelError as error:
                load_error = error
        models = plan.without_losing_claims(models)
        models = without_missing_prompts(models, is_interactive=context is not None)
        return models, load_error if not models else None

    def _load_model(self, step: ModelStep, scope: RequestScope) -> AnyQueue:
        model = self._models.get(step.spec)
        if model is not None:
            return model
        loading = self._loaders.submit(self._models.get_or_load, step.backend, step.spec)
        try:
            return scope.wait_for(loading)
        except DeadlineError:
            label = step.spec.label
            raise DeadlineError(f"{label} is still being loaded; ask again later") from None

    def _run_tasks(
        self, run: RequestRun, tasks: Iterable[Any], load_error: PrelabelError | None
    ) -> Iterator[TaskOutcome]:
        if load_error is not None:
            yield from (self._task_outcome(run, raw, partial(_raise, load_error)) for raw in tasks)
        elif run.plan.is_inline:
            for raw in tasks:
                yield self._task_outcome(run, raw, partial(_infer_inline, run, raw))
        else:
            yield from self._run_read_ahead(run, iter(tasks))

    def _run_read_ahead(self, run: RequestRun, tasks: Iterator[Any]) -> Iterator[TaskOutcome]:
        """Yield the outcomes in order, while tasks behind them are read and queued already."""
        ahead = min(step.backend.read_ahead(step.claims[0]) for step in run.plan.steps)
        pending: deque[tuple[Any, PendingTask]] = deque()

        def read_more(count: int) -> None:
            pending.extend((raw, self._inputs.submit(run, raw)) for raw in islice(tasks, count))

        try:
            read_more(ahead)
            while pending:
                raw, task = pending.popleft()
                yield self._task_outcome(run, raw, task.outputs)
                if len(pending) <= ahead // 2:  # refill in blocks, so that batches are full
                    read_more(ahead - len(pending))
        finally:  # also if the caller stops early
            self._inputs.cancel_run(run)

    def _task_outcome(
        self, run: RequestRun, raw: Any, wait_for_outputs: Callable[[], list[Any]]
    ) -> TaskOutcome:
        """Finish a task. The one place where its failure is caught."""
        run.scope.yield_slot()
        task_id = raw.get("id") if isinstance(raw, dict) else None
        try:
            prediction = self._build_prediction(run, raw, wait_for_outputs())
        except ClientGoneError:
            raise
        except PrelabelError as error:
            return self._fail(run, task_id, error)
        except Exception as error:  # a backend may raise anything
            logger.error("A task failed in %s", run.names, exc_info=error)
            failure = InferenceError(f"{run.names} failed on this task: {type(error).__name__}")
            return self._fail(run, task_id, failure)
        for finding in prediction.dropped:
            self._failures.record_dropped_region(run.names, task_id, finding.rule, finding.message)
        for fault in prediction.faults:
            self._failures.record_task(run.names, task_id, LabelsError(fault))
        return TaskOutcome(prediction=prediction)

    def _fail(self, run: RequestRun, task_id: Any, error: PrelabelError) -> TaskOutcome:
        self._failures.record_task(run.names, task_id, error)
        self._metrics.tracing.record_stage("failure", 0.0, backend=run.names, reason=error.reason)
        return TaskOutcome(error=error)

    def _build_prediction(self, run: RequestRun, raw: Any, outputs: Sequence[Any]) -> Prediction:
        start = time.perf_counter()
        if run.config.dynamic_controls:
            run = run.for_task(Task.parse(raw))
        faults = tuple(run.faults)
        try:
            regions, omissions = _build_regions(run, outputs)
        except UnfillableError as error:
            raise (LabelsError(faults[0]) if faults else error) from None
        if omissions and not regions:
            raise InferenceError(
                _join_reasons([omission.message for omission in omissions], "values")
            )
        prediction = Prediction.build(
            regions, run.config, run.version, run.plan.score_mode, run.plan.min_score
        )
        if omissions:
            prediction = prediction.with_omissions(omissions)
        self._metrics.observe_stage("regions", run.names, time.perf_counter() - start)
        if faults and not prediction.results:
            raise LabelsError(faults[0])
        return replace(prediction, faults=faults) if faults else prediction


def _infer_inline(run: RequestRun, raw: Any) -> list[Any]:
    """Read and infer a task in this thread: queues would take longer than the models do."""
    run.scope.raise_if_over()
    task = Task.parse(raw)
    outputs = []
    for step, model in run.for_task(task).models:
        if isinstance(model, InlineModel):
            item = step.backend.read(task, step.claims[0], run.context)
            parts = [model.infer_one(part) for part in step.backend.split(item)]
            outputs.append(step.backend.join(parts))
    return outputs


def _build_regions(run: RequestRun, outputs: Sequence[Any]) -> tuple[list[Region], list[Omission]]:
    """Return the regions of all claims that can be filled; UnfillableError if none can."""
    regions: list[Region | Omission] = []
    reasons: list[str] = []
    claim_count = 0
    for (step, _), output in zip(run.models, outputs, strict=True):
        for claim in step.answered_claims:
            claim_count += 1
            try:
                if isinstance(output, UnfillableError):  # what it waits for cannot be filled
                    raise output
                regions.extend(step.backend.regions(output, claim))
            except UnfillableError as error:
                reasons.append(str(error))
    if reasons and len(reasons) == claim_count and not regions:
        raise UnfillableError(_join_reasons(list(dict.fromkeys(reasons)), "control tags"))
    return (
        [found for found in regions if isinstance(found, Region)],
        [found for found in regions if isinstance(found, Omission)],
    )


def _join_reasons(reasons: Sequence[str], what: str) -> str:
    """Return reasons in one line, shortened to what a message should have; `what` they concern."""
    shown = (reason[:MAX_REASON_LENGTH] for reason in reasons[:MAX_REASONS])
    more = len(reasons) - MAX_REASONS
    return "; ".join(shown) + (f"; and {more} more {what}" if more > 0 else "")


def _raise(error: PrelabelError) -> list[Any]:
    raise error
