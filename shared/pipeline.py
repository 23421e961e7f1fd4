"""The way of a task: read, infer, regions, prediction. A failure costs one task."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.batching import ModelQueue
from shared.errors import (
    ConfigError,
    DeadlineError,
    InferenceError,
    ModelError,
    PrelabelError,
)
from shared.failures import FailureLog
from shared.models import ModelStore
from shared.prediction import Prediction
from shared.results import Region
from shared.task import Task

if TYPE_CHECKING:
    from shared.backend import Context
    from shared.route import Route, Step

logger = logging.getLogger(__name__)

READERS = 8
"""Threads that fetch and decode."""
URGENT_READERS = 4
"""Threads that do so for users who wait before the editor, whatever else is being read."""
LOADERS = 16
"""Threads that load models, or wait for one, while their requests wait no longer than they may."""


@dataclass(frozen=True)
class Outcome:
    """What came of one task: a prediction or an error."""

    prediction: Prediction | None = None
    error: PrelabelError | None = None

    def answer(self, interactive: bool = False) -> dict[str, Any] | list[Any]:
        """As `/predict` answers: `[]` asks Label Studio to try again later.

        In interactive mode the editor needs an object, whatever came of it.
        """
        if self.prediction is not None:
            return self.prediction.json()
        return {"result": []} if interactive else []


@dataclass(frozen=True)
class _Run:
    """What the tasks of one request have in common."""

    route: "Route"
    queues: Sequence[tuple["Step", ModelQueue]]
    version: str
    context: "Context | None"
    until: float

    def left(self) -> float:
        return max(0.0, self.until - time.monotonic())


class Pipeline:
    """Takes tasks through backends. One for the whole process."""

    def __init__(self, models: ModelStore, failures: FailureLog) -> None:
        self._models = models
        self._failures = failures
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._urgent = ThreadPoolExecutor(URGENT_READERS, thread_name_prefix="read now")
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="load")

    def run(
        self,
        route: "Route",
        tasks: Iterable[Any],
        context: "Context | None" = None,
        seconds: float = float("inf"),
    ) -> Iterator[Outcome]:
        """One outcome a task, in order, while later tasks are read and inferred already.

        After `seconds` (from this call on) the tasks that are not done end in a DeadlineError.
        """
        return self._outcomes(route, tasks, context, time.monotonic() + seconds)

    def _outcomes(
        self, route: "Route", tasks: Iterable[Any], context: "Context | None", until: float
    ) -> Iterator[Outcome]:
        if not route.steps:  # the route says why, once
            nothing = ConfigError("Nothing in the label config can be filled")
            yield from (Outcome(error=nothing) for _ in tasks)
            return
        queues, missing = self._queues(route, context is not None, until)
        run = _Run(route, queues, route.version(), context, until)
        source = iter(tasks)
        ahead = min(step.backend.reads_ahead(step.claims[0]) for step in route.steps)
        started = deque(self._start(run, raw, missing) for raw in islice(source, ahead))
        while started:
            yield self._finish(run, *started.popleft())
            if len(started) <= ahead // 2:  # many at a time, so that batches are full
                more = islice(source, ahead - len(started))
                started.extend(self._start(run, raw, missing) for raw in more)

    def close(self) -> None:
        """Stop the threads."""
        for pool in (self._readers, self._urgent, self._loaders):
            pool.shutdown(wait=False, cancel_futures=True)

    def _queues(
        self, route: "Route", interactive: bool, until: float
    ) -> tuple[list[tuple["Step", ModelQueue]], PrelabelError | None]:
        """The models' queues, loaded; and an error if the tasks cannot be predicted now.

        A model that cannot be loaded takes no part, and the version says so. One that is still
        being loaded would be missed in a prediction that is never asked for again.
        """
        queues: list[tuple[Step, ModelQueue]] = []
        error: PrelabelError | None = None
        for step in route.steps:
            if interactive and not step.backend.interactive:
                continue
            try:
                queues.append((step, self._queue(step, until)))
            except DeadlineError as late:
                return [], late
            except ModelError as problem:
                error = problem
        return queues, error if not queues else None

    def _queue(self, step: "Step", until: float) -> ModelQueue:
        spec = step.claims[0].spec
        found = self._models.loaded(spec)
        if found is not None:
            return found
        loading = self._loaders.submit(self._models.queue, step.backend, spec)
        try:
            return loading.result(_seconds(until))
        except FutureTimeout:
            raise DeadlineError(f"{spec.label} is still being loaded; ask again later") from None

    def _start(
        self, run: _Run, raw: Any, missing: PrelabelError | None
    ) -> tuple[Any, "Future[list[Future[Any]]]"]:
        if missing is not None or not run.left():
            failed: Future[list[Future[Any]]] = Future()
            failed.set_exception(missing or DeadlineError("There was no time left for this task"))
            return raw, failed
        if all(step.backend.reads_at_once(step.claims[0]) for step, _ in run.queues):
            return raw, self._read_here(run, raw)
        readers = self._readers if run.context is None else self._urgent
        return raw, readers.submit(self._read, run, raw)

    def _read_here(self, run: _Run, raw: Any) -> "Future[list[Future[Any]]]":
        """Without a reading thread, which would cost more than there is to read."""
        reading: Future[list[Future[Any]]] = Future()
        try:
            reading.set_result(self._read(run, raw))
        except Exception as error:  # as in a thread: it is caught where the task is finished
            reading.set_exception(error)
        return reading

    def _read(self, run: _Run, raw: Any) -> "list[Future[Any]]":
        """In a reading thread: the task's inputs, each handed to its model's queue."""
        if not run.left():
            raise DeadlineError("There was no time left to read this task")
        task = Task.parse(raw)
        urgent = run.context is not None
        items = [step.backend.read(task, step.claims[0], run.context) for step, _ in run.queues]
        if not run.left():
            raise DeadlineError("There was no time left when this task was read")
        return [
            queue.submit(item, urgent) for (_, queue), item in zip(run.queues, items, strict=True)
        ]

    def _finish(self, run: _Run, raw: Any, reading: "Future[list[Future[Any]]]") -> Outcome:
        """The one place where a task's failure is caught."""
        task_id = raw.get("id") if isinstance(raw, dict) else None
        names = "+".join(step.backend.name for step in run.route.steps) or "none"
        try:
            prediction = self._prediction(run, reading)
        except PrelabelError as error:
            self._failures.add(names, task_id, error)
            return Outcome(error=error)
        except Exception as error:  # a backend may raise anything; the other tasks go on
            failure = self._failure(run, names, error)
            _give_up(reading)
            self._failures.add(names, task_id, failure)
            return Outcome(error=failure)
        for finding in prediction.dropped:
            self._failures.drop(names, task_id, finding.rule, finding.message)
        return Outcome(prediction=prediction)

    def _failure(self, run: _Run, names: str, error: Exception) -> PrelabelError:
        """Our error for one that is not: the deadline's, or a backend's own."""
        if isinstance(error, FutureTimeout) and run.left() < 0.05:
            return DeadlineError("The deadline came before this task was done; ask again to go on")
        logger.error("A task failed in %s", names, exc_info=error)
        return InferenceError(f"{names} failed on this task: {type(error).__name__}")

    def _prediction(self, run: _Run, reading: "Future[list[Future[Any]]]") -> Prediction:
        regions: list[Region] = []
        inferring = reading.result(_seconds(run.until))
        outputs = [future.result(_seconds(run.until)) for future in inferring]
        for (step, _), output in zip(run.queues, outputs, strict=True):
            for claim in step.claims:
                regions.extend(step.backend.regions(output, claim))
        return Prediction.build(regions, run.route.config, run.version)


def _give_up(reading: "Future[list[Future[Any]]]") -> None:
    """Take what is left of a task out of the queues: nobody waits for it."""
    if not reading.cancel() and reading.done() and reading.exception() is None:
        for inferring in reading.result():
            inferring.cancel()


def _seconds(until: float) -> float | None:
    return None if until == float("inf") else max(0.0, until - time.monotonic())
