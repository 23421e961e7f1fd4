"""The way of a task: read, infer, regions, prediction. A failure costs one task."""

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared.answer_cache import AnswerCache
from shared.batching import InstantModel, ModelQueue
from shared.errors import (
    ClientGoneError,
    ConfigError,
    DeadlineError,
    InferenceError,
    ModelError,
    PrelabelError,
)
from shared.failures import FailureLog
from shared.figures import Figures
from shared.media import read_once
from shared.models import ModelStore
from shared.prediction import Prediction
from shared.results import Region
from shared.task import Task
from shared.turns import FairPool
from shared.waiting import FOREVER, Waiting

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

Model = ModelQueue | InstantModel
Reading = Future[list[list[Future[Any]]]]
"""A task's reading, which ends in the futures of each output's parts."""


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
    models: Sequence[tuple["Step", Model]]
    version: str
    context: "Context | None"
    waiting: Waiting

    @property
    def names(self) -> str:
        return "+".join(step.backend.name for step in self.route.steps) or "none"


class Pipeline:
    """Takes tasks through backends. One for the whole process."""

    def __init__(
        self, models: ModelStore, failures: FailureLog, figures: Figures, answers: AnswerCache
    ) -> None:
        self._models = models
        self._failures = failures
        self._figures = figures
        self._answers = answers
        self._readers = FairPool(READERS, "read")
        self._urgent = FairPool(URGENT_READERS, "read now")
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="load")
        self._running: WeakSet[Waiting] = WeakSet()
        self._lock = threading.Lock()

    def run(
        self,
        route: "Route",
        tasks: Iterable[Any],
        context: "Context | None" = None,
        seconds: float = FOREVER,
        waiting: Waiting | None = None,
    ) -> Iterator[Outcome]:
        """One outcome a task, in order, while later tasks are read and inferred already.

        After `seconds` from this call on, or when `waiting` is over, the tasks that are not done
        end in a DeadlineError; ClientGoneError if there is nobody to answer.
        """
        waiting = waiting or Waiting(seconds, urgent=context is not None)
        return self._outcomes(route, tasks, context, waiting)

    def _outcomes(
        self,
        route: "Route",
        tasks: Iterable[Any],
        context: "Context | None",
        waiting: Waiting,
    ) -> Iterator[Outcome]:
        if not route.steps:  # the route says why, once
            nothing = ConfigError("Nothing in the label config can be filled")
            yield from (Outcome(error=nothing) for _ in tasks)
            return
        specs = [step.claims[0].spec for step in route.steps]
        self._models.hold(specs)
        with self._lock:
            self._running.add(waiting)
        try:
            with waiting.working():
                models, missing = self._loaded(route, context is not None, waiting)
                run = _Run(route, models, route.version(), context, waiting)
                yield from self._each(run, tasks, missing)
        finally:
            self._models.release(specs)
            with self._lock:
                self._running.discard(waiting)

    def _each(
        self, run: _Run, tasks: Iterable[Any], missing: PrelabelError | None
    ) -> Iterator[Outcome]:
        if missing is not None:
            yield from (self._outcome(run, raw, partial(_raise, missing)) for raw in tasks)
        elif run.route.at_once:
            yield from (self._outcome(run, raw, partial(self._here, run, raw)) for raw in tasks)
        else:
            yield from self._ahead(run, iter(tasks))

    def end(self, error: PrelabelError, seconds: float = 0.0) -> None:
        """Let what is running answer what is done, after so many seconds."""
        if seconds:
            timer = threading.Timer(seconds, self.end, (error,))
            timer.daemon = True
            timer.start()
            return
        with self._lock:
            running = list(self._running)
        for waiting in running:
            waiting.end(error)

    def close(self) -> None:
        """Stop the threads."""
        self._readers.close()
        self._urgent.close()
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _loaded(
        self, route: "Route", interactive: bool, waiting: Waiting
    ) -> tuple[list[tuple["Step", Model]], PrelabelError | None]:
        """The models, loaded; and an error if the tasks cannot be predicted now.

        A model that cannot be loaded takes no part, and the version says so. One that is still
        being loaded would be missed in a prediction that is never asked for again.
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
        return models, error if not models else None

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

    def _here(self, run: _Run, raw: Any) -> list[Any]:
        """In the thread that asks, from one end to the other."""
        run.waiting.check()
        task = Task.parse(raw)
        return [
            _asked(step, model, step.backend.read(task, step.claims[0], run.context))
            for step, model in run.models
            if isinstance(model, InstantModel)
        ]

    # Tasks that wait for files and models

    def _ahead(self, run: _Run, source: Iterator[Any]) -> Iterator[Outcome]:
        """The outcomes in order, while tasks behind them are read and queued already."""
        ahead = min(step.backend.reads_ahead(step.claims[0]) for step in run.route.steps)
        started = deque((raw, self._start(run, raw)) for raw in islice(source, ahead))
        try:
            while started:
                raw, reading = started.popleft()
                yield self._outcome(run, raw, partial(self._outputs, run, reading))
                if len(started) <= ahead // 2:  # many at a time, so that batches are full
                    more = islice(source, ahead - len(started))
                    started.extend((raw, self._start(run, raw)) for raw in more)
        finally:  # the client is gone, or nobody wants the rest
            self._readers.drop(id(run))
            self._urgent.drop(id(run))
            for _, model in run.models:
                model.drop(id(run))

    def _start(self, run: _Run, raw: Any) -> Reading:
        here = all(step.backend.reads_at_once(step.claims[0]) for step, _ in run.models)
        if here or not run.waiting.left():  # a thread would cost more than there is to read
            return self._read_here(run, raw)
        readers = self._urgent if run.waiting.urgent else self._readers
        work = partial(contextvars.copy_context().run, self._read, run, raw)
        return readers.submit(id(run), work)

    def _read_here(self, run: _Run, raw: Any) -> Reading:
        reading: Reading = Future()
        try:
            reading.set_result(self._read(run, raw))
        except Exception as error:  # as in a thread: it is caught where the task is finished
            reading.set_exception(error)
        return reading

    def _read(self, run: _Run, raw: Any) -> list[list[Future[Any]]]:
        """In a reading thread: the task's inputs, each handed to its model's queue.

        What is read when the deadline comes is inferred all the same: asked again, it is known.
        """
        run.waiting.check()
        start = time.perf_counter()
        task = Task.parse(raw)
        with read_once() if len(run.models) > 1 else nullcontext():
            items = [step.backend.read(task, step.claims[0], run.context) for step, _ in run.models]
        self._figures.took("read", run.names, time.perf_counter() - start)
        if run.waiting.gone:
            run.waiting.check()
        return [
            list(self._submitted(run, step, model, item))
            for (step, model), item in zip(run.models, items, strict=True)
        ]

    def _submitted(
        self, run: _Run, step: "Step", model: Model, item: Any
    ) -> "Iterator[Future[Any]]":
        parts = step.backend.parts(item)
        for part in parts:
            if len(parts) > 1:  # it takes long: no more of it after the deadline
                run.waiting.check()
            yield self._submit(run, step, model, part)

    def _submit(self, run: _Run, step: "Step", model: Model, item: Any) -> "Future[Any]":
        """The output for a part, if the model has said it before; else it is queued."""
        spec = step.claims[0].spec
        content = step.backend.key(item) if self._answers.max_bytes else None
        if content is None:
            run.waiting.check()
            return model.submit(item, run.waiting.urgent, id(run))
        key = spec, self._models.weights_digest(step.backend, spec), content
        known = self._answers.get(key)
        if known is not None:
            future: Future[Any] = Future()
            future.set_result(known[0])
            return future
        future = model.submit(item, run.waiting.urgent, id(run))
        future.add_done_callback(partial(self._keep, key))
        return future

    def _keep(self, key: Any, future: "Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            self._answers.put(key, future.result())

    def _outputs(self, run: _Run, reading: Reading) -> list[Any]:
        try:
            outputs = run.waiting.result(reading)
            return [
                step.backend.whole([run.waiting.result(part) for part in parts])
                for (step, _), parts in zip(run.models, outputs, strict=True)
            ]
        except Exception:
            _give_up(reading)
            raise

    # All tasks

    def _outcome(self, run: _Run, raw: Any, outputs: Callable[[], list[Any]]) -> Outcome:
        """The one place where a task's failure is caught."""
        run.waiting.breathe()
        task_id = raw.get("id") if isinstance(raw, dict) else None
        try:
            prediction = self._prediction(run, outputs())
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
        return Outcome(prediction=prediction)

    def _prediction(self, run: _Run, outputs: Sequence[Any]) -> Prediction:
        start = time.perf_counter()
        regions: list[Region] = []
        for (step, _), output in zip(run.models, outputs, strict=True):
            for claim in step.claims:
                regions.extend(step.backend.regions(output, claim))
        prediction = Prediction.build(regions, run.route.config, run.version, run.route.score)
        self._figures.took("regions", run.names, time.perf_counter() - start)
        return prediction


def _raise(error: PrelabelError) -> list[Any]:
    raise error


def _asked(step: "Step", model: InstantModel, item: Any) -> Any:
    return step.backend.whole([model.ask(part) for part in step.backend.parts(item)])


def _give_up(reading: Reading) -> None:
    """Take what is left of a task out of the queues: nobody waits for it."""
    if not reading.cancel() and reading.done() and reading.exception() is None:
        for parts in reading.result():
            for part in parts:
                part.cancel()
