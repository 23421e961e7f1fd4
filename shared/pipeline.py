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

from shared.answer_cache import AnswerCache
from shared.batching import InstantModel
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
from shared.failures import FailureLog
from shared.figures import Figures
from shared.models import ModelStore
from shared.outcome import Outcome
from shared.prediction import Prediction
from shared.reading import Model, Readings, Run
from shared.results import Region
from shared.task import Task
from shared.waiting import FOREVER, Waiting

if TYPE_CHECKING:
    from shared.backend import Context
    from shared.route import Route, Step

logger = logging.getLogger(__name__)

MOST_REASONS = 3
"""Of the reasons why a task cannot be filled, those that its error names."""
LONGEST_REASON = 1000
"""Characters of such a reason."""
LOADERS = 16
"""Threads that load models, or wait for one, while their requests wait no longer than they may."""


class Pipeline:
    """Takes tasks through backends. One for the whole process."""

    def __init__(
        self, models: ModelStore, failures: FailureLog, figures: Figures, answers: AnswerCache
    ) -> None:
        self._models = models
        self._failures = failures
        self._figures = figures
        self._readings = Readings(models, figures, answers)
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="load")

    def run(
        self,
        route: "Route",
        tasks: Iterable[Any],
        context: "Context | None" = None,
        seconds: float = FOREVER,
        waiting: Waiting | None = None,
    ) -> Generator[Outcome, None, None]:
        """One outcome a task, in order, while later tasks are read and inferred already.

        Whoever may not take them all closes it (`contextlib.closing`): until then its models stay
        loaded and its tasks queued. After `seconds` from this call on, or when `waiting` is over,
        the tasks that are not done end in a DeadlineError; ClientGoneError if there is nobody to
        answer.
        """
        waiting = waiting or Waiting(seconds, urgent=context is not None)
        return self._outcomes(route, tasks, context, waiting)

    def _outcomes(
        self,
        route: "Route",
        tasks: Iterable[Any],
        context: "Context | None",
        waiting: Waiting,
    ) -> Generator[Outcome, None, None]:
        if not route.steps:  # the route says why, once
            nothing = ConfigError("Nothing in the label config can be filled")
            yield from (Outcome(error=nothing) for _ in tasks)
            return
        specs = [step.claims[0].spec for step in route.steps]
        self._models.hold(specs)
        try:
            models, missing = self._loaded(route, context is not None, waiting)
            run = Run(route, models, route.version(), context, waiting, route.config)
            yield from self._each(run, tasks, missing)
        finally:
            self._models.release(specs)

    def _each(
        self, run: Run, tasks: Iterable[Any], missing: PrelabelError | None
    ) -> Iterator[Outcome]:
        if missing is not None:
            yield from (self._outcome(run, raw, partial(_raise, missing)) for raw in tasks)
        elif run.route.at_once:
            yield from (self._outcome(run, raw, partial(self._here, run, raw)) for raw in tasks)
        else:
            yield from self._ahead(run, iter(tasks))

    def close(self) -> None:
        """Stop the threads."""
        self._readings.close()
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _loaded(
        self, route: "Route", interactive: bool, waiting: Waiting
    ) -> tuple[list[tuple["Step", Model]], PrelabelError | None]:
        """The models, loaded; and an error if the tasks cannot be predicted now.

        A model that cannot be loaded takes no part, and the version says so; nor does one whose
        labels another knows better. One that is still being loaded would be missed in a prediction
        that is never asked for again.
        """
        models: list[tuple[Step, Model]] = []
        error: PrelabelError | None = None
        for step in route.steps:
            if interactive and not step.backend.interactive:
                continue
            try:
                models.append((step, self._model(step, waiting)))
            except DeadlineError as late:
                return [], late
            except ModelError as problem:
                error = problem
        return route.running(models), error if not models else None

    def _model(self, step: "Step", waiting: Waiting) -> Model:
        spec = step.claims[0].spec
        found = self._models.loaded(spec)
        if found is not None:
            return found
        loading = self._loaders.submit(self._models.queue, step.backend, spec)
        try:
            return waiting.result(loading)
        except DeadlineError:
            raise DeadlineError(f"{spec.label} is still being loaded; ask again later") from None

    # Tasks that need no thread

    def _here(self, run: Run, raw: Any) -> list[Any]:
        """In the thread that asks, from one end to the other."""
        run.waiting.check()
        task = Task.parse(raw)
        return [
            _asked(step, model, step.backend.read(task, step.claims[0], run.context))
            for step, model in run.for_task(task).models
            if isinstance(model, InstantModel)
        ]

    # Tasks that wait for files and models

    def _ahead(self, run: Run, source: Iterator[Any]) -> Iterator[Outcome]:
        """The outcomes in order, while tasks behind them are read and queued already."""
        ahead = min(step.backend.reads_ahead(step.claims[0]) for step in run.route.steps)
        started = deque((raw, self._readings.start(run, raw)) for raw in islice(source, ahead))
        try:
            while started:
                raw, reading = started.popleft()
                yield self._outcome(run, raw, partial(self._readings.outputs, run, reading))
                if len(started) <= ahead // 2:  # many at a time, so that batches are full
                    more = islice(source, ahead - len(started))
                    started.extend((raw, self._readings.start(run, raw)) for raw in more)
        finally:  # the client is gone, or nobody wants the rest
            self._readings.drop(run)

    # All tasks

    def _outcome(self, run: Run, raw: Any, outputs: Callable[[], list[Any]]) -> Outcome:
        """The one place where a task's failure is caught."""
        run.waiting.breathe()
        task_id = raw.get("id") if isinstance(raw, dict) else None
        try:
            prediction = self._prediction(run, raw, outputs())
        except ClientGoneError:
            raise
        except PrelabelError as error:
            self._failures.add(run.names, task_id, error)
            return Outcome(error=error)
        except Exception as error:  # a backend may raise anything; the other tasks go on
            logger.error("A task failed in %s", run.names, exc_info=error)
            failure = InferenceError(f"{run.names} failed on this task: {type(error).__name__}")
            self._failures.add(run.names, task_id, failure)
            return Outcome(error=failure)
        for finding in prediction.dropped:
            self._failures.drop(run.names, task_id, finding.rule, finding.message)
        for fault in prediction.faults:
            self._failures.add(run.names, task_id, LabelsError(fault))
        return Outcome(prediction=prediction)

    def _prediction(self, run: Run, raw: Any, outputs: Sequence[Any]) -> Prediction:
        start = time.perf_counter()
        if run.config.dynamic:
            run = run.for_task(Task.parse(raw))
        faults = tuple(run.faults)
        try:
            regions = _regions(run, outputs)
        except UnfillableError as error:
            raise (LabelsError(faults[0]) if faults else error) from None
        prediction = Prediction.build(regions, run.config, run.version, run.route.score)
        self._figures.took("regions", run.names, time.perf_counter() - start)
        if faults and not prediction.results:
            raise LabelsError(faults[0])
        return replace(prediction, faults=faults) if faults else prediction


def _regions(run: Run, outputs: Sequence[Any]) -> list[Region]:
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


def _asked(step: "Step", model: InstantModel, item: Any) -> Any:
    return step.backend.whole([model.ask(part) for part in step.backend.parts(item)])
