"""The way of a task: read, infer, regions, prediction. A failure costs one task."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

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
from shared.pipeline.failures import FailureLog
from shared.pipeline.inputs import InputReader, Model, RequestRun
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.outcome import TaskOutcome
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.prediction import Prediction
from shared.pipeline.scheduling.batch_queue import InlineModel
from shared.pipeline.scheduling.request_scope import NO_DEADLINE, RequestScope
from shared.results import Region

if TYPE_CHECKING:
    from shared.backend.base import Context
    from shared.pipeline.plan import ModelStep, PredictionPlan

logger = logging.getLogger(__name__)

# Of the reasons why a task cannot be filled, those that its error names.
MOST_REASONS = 3
# Characters of such a reason.
LONGEST_REASON = 1000
# Threads that load models, or wait for one, while their requests wait no longer than they may.
LOADER_THREADS = 16


class Pipeline:
    """Takes tasks through backends. One for the whole process."""

    def __init__(
        self,
        models: ModelRegistry,
        failures: FailureLog,
        figures: PipelineMetrics,
        answers: OutputCache,
    ) -> None:
        self._models = models
        self._failures = failures
        self._figures = figures
        self._readings = InputReader(models, figures, answers)
        self._loaders = ThreadPoolExecutor(LOADER_THREADS, thread_name_prefix="load")

    def run(
        self,
        route: "PredictionPlan",
        tasks: Iterable[Any],
        context: "Context | None" = None,
        seconds: float = NO_DEADLINE,
        waiting: RequestScope | None = None,
    ) -> Generator[TaskOutcome, None, None]:
        """One outcome a task, in order, while later tasks are read and inferred already.

        Whoever may not take them all closes it (`contextlib.closing`): until then its models stay
        loaded and its tasks queued. After `seconds` from this call on, or when `waiting` is over,
        the tasks that are not done end in a DeadlineError; ClientGoneError if there is nobody to
        answer.
        """
        waiting = waiting or RequestScope(seconds, interactive=context is not None)
        return self._run_plan(route, tasks, context, waiting)

    def _run_plan(
        self,
        route: "PredictionPlan",
        tasks: Iterable[Any],
        context: "Context | None",
        waiting: RequestScope,
    ) -> Generator[TaskOutcome, None, None]:
        if not route.steps:  # the route says why, once
            nothing = ConfigError("Nothing in the label config can be filled")
            yield from (TaskOutcome(error=nothing) for _ in tasks)
            return
        specs = [step.claims[0].spec for step in route.steps]
        self._models.pin(specs)
        try:
            models, missing = self._load_models(route, context is not None, waiting)
            run = RequestRun(route, models, route.version(), context, waiting, route.config)
            yield from self._run_tasks(run, tasks, missing)
        finally:
            self._models.unpin(specs)

    def _run_tasks(
        self, run: RequestRun, tasks: Iterable[Any], missing: PrelabelError | None
    ) -> Iterator[TaskOutcome]:
        if missing is not None:
            yield from (self._task_outcome(run, raw, partial(_raise, missing)) for raw in tasks)
        elif run.plan.is_inline:
            yield from (
                self._task_outcome(run, raw, partial(self._run_inline, run, raw)) for raw in tasks
            )
        else:
            yield from self._run_read_ahead(run, iter(tasks))

    def close(self) -> None:
        """Stop the threads."""
        self._readings.close()
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _load_models(
        self, route: "PredictionPlan", interactive: bool, waiting: RequestScope
    ) -> tuple[list[tuple["ModelStep", Model]], PrelabelError | None]:
        """The models, loaded; and an error if the tasks cannot be predicted now.

        A model that cannot be loaded takes no part, and the version says so; nor does one whose
        labels another knows better. One that is still being loaded would be missed in a prediction
        that is never asked for again.
        """
        models: list[tuple[ModelStep, Model]] = []
        error: PrelabelError | None = None
        for step in route.steps:
            if interactive and not step.backend.interactive:
                continue
            try:
                models.append((step, self._load_model(step, waiting)))
            except DeadlineError as late:
                return [], late
            except ModelError as problem:
                error = problem
        return route.running(models), error if not models else None

    def _load_model(self, step: "ModelStep", waiting: RequestScope) -> Model:
        spec = step.claims[0].spec
        found = self._models.get(spec)
        if found is not None:
            return found
        loading = self._loaders.submit(self._models.get_or_load, step.backend, spec)
        try:
            return waiting.wait_for(loading)
        except DeadlineError:
            raise DeadlineError(f"{spec.label} is still being loaded; ask again later") from None

    # Tasks that need no thread

    def _run_inline(self, run: RequestRun, raw: Any) -> list[Any]:
        """In the thread that asks, from one end to the other."""
        run.scope.raise_if_over()
        task = Task.parse(raw)
        return [
            _asked(step, model, step.backend.read(task, step.claims[0], run.context))
            for step, model in run.for_task(task).models
            if isinstance(model, InlineModel)
        ]

    # Tasks that wait for files and models

    def _run_read_ahead(self, run: RequestRun, source: Iterator[Any]) -> Iterator[TaskOutcome]:
        """The outcomes in order, while tasks behind them are read and queued already."""
        ahead = min(step.backend.reads_ahead(step.claims[0]) for step in run.plan.steps)
        started = deque((raw, self._readings.submit(run, raw)) for raw in islice(source, ahead))
        try:
            while started:
                raw, reading = started.popleft()
                yield self._task_outcome(
                    run, raw, partial(self._readings.wait_for_outputs, run, reading)
                )
                if len(started) <= ahead // 2:  # many at a time, so that batches are full
                    more = islice(source, ahead - len(started))
                    started.extend((raw, self._readings.submit(run, raw)) for raw in more)
        finally:  # the client is gone, or nobody wants the rest
            self._readings.cancel_run(run)

    # All tasks

    def _task_outcome(
        self, run: RequestRun, raw: Any, outputs: Callable[[], list[Any]]
    ) -> TaskOutcome:
        """The one place where a task's failure is caught."""
        run.scope.yield_slot()
        task_id = raw.get("id") if isinstance(raw, dict) else None
        try:
            prediction = self._build_prediction(run, raw, outputs())
        except ClientGoneError:
            raise
        except PrelabelError as error:
            self._failures.record_task(run.names, task_id, error)
            return TaskOutcome(error=error)
        except Exception as error:  # a backend may raise anything; the other tasks go on
            logger.error("A task failed in %s", run.names, exc_info=error)
            failure = InferenceError(f"{run.names} failed on this task: {type(error).__name__}")
            self._failures.record_task(run.names, task_id, failure)
            return TaskOutcome(error=failure)
        for finding in prediction.dropped:
            self._failures.record_dropped_region(run.names, task_id, finding.rule, finding.message)
        for fault in prediction.faults:
            self._failures.record_task(run.names, task_id, LabelsError(fault))
        return TaskOutcome(prediction=prediction)

    def _build_prediction(self, run: RequestRun, raw: Any, outputs: Sequence[Any]) -> Prediction:
        start = time.perf_counter()
        if run.config.dynamic:
            run = run.for_task(Task.parse(raw))
        faults = tuple(run.faults)
        try:
            regions = _regions(run, outputs)
        except UnfillableError as error:
            raise (LabelsError(faults[0]) if faults else error) from None
        prediction = Prediction.build(regions, run.config, run.version, run.plan.score_mode)
        self._figures.observe_stage("regions", run.names, time.perf_counter() - start)
        if faults and not prediction.results:
            raise LabelsError(faults[0])
        return replace(prediction, faults=faults) if faults else prediction


def _regions(run: RequestRun, outputs: Sequence[Any]) -> list[Region]:
    """Return the regions of all claims that can be filled; UnfillableError if none can."""
    regions: list[Region] = []
    reasons: list[str] = []
    claims = 0
    for (step, _), output in zip(run.models, outputs, strict=True):
        for claim in step.claims:
            claims += 1
            try:
                regions.extend(step.backend.regions(output, claim))
            except UnfillableError as error:
                reasons.append(str(error))
    if reasons and len(reasons) == claims and not regions:
        raise UnfillableError(_together(tuple(dict.fromkeys(reasons))))
    return regions


def _together(reasons: Sequence[str]) -> str:
    """Return reasons as one, as far as a message should go."""
    short = (reason[:LONGEST_REASON] for reason in reasons[:MOST_REASONS])
    more = len(reasons) - MOST_REASONS
    return "; ".join(short) + (f"; and {more} more control tags" if more > 0 else "")


def _raise(error: PrelabelError) -> list[Any]:
    raise error


def _asked(step: "ModelStep", model: InlineModel, item: Any) -> Any:
    return step.backend.join([model.infer_one(part) for part in step.backend.split(item)])
