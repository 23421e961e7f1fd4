"""Tasks on their way to the models: read in threads, known answers looked up, the rest queued."""

import contextvars
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_labels_of
from shared.media.reader import memoized_reads
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.output_cache import OutputCache
from shared.pipeline.scheduling.batch_queue import InlineModel, ModelQueue
from shared.pipeline.scheduling.fair_queue import FairPool
from shared.pipeline.scheduling.request_scope import RequestScope

if TYPE_CHECKING:
    from shared.backend.base import Context
    from shared.pipeline.plan import ModelStep, PredictionPlan

# Threads that fetch and decode.
READER_THREADS = 8
# Threads that do so for users who wait before the editor, whatever else is being read.
INTERACTIVE_READER_THREADS = 4

Model = ModelQueue | InlineModel
# A task's reading, which ends in the futures of each output's parts.
PendingTask = Future[list[list[Future[Any]]]]


@dataclass(frozen=True)
class RequestRun:
    """What the tasks of one request have in common."""

    plan: "PredictionPlan"
    models: Sequence[tuple["ModelStep", Model]]
    version: str
    context: "Context | None"
    scope: RequestScope
    config: LabelConfig

    def for_task(self, task: Task) -> "RequestRun":
        """Return the run with the labels that a task brings; itself where none can be brought."""
        config = with_labels_of(self.config, task.data)
        if config is self.config:
            return self
        models = [(step.for_task(config), model) for step, model in self.models]
        return replace(self, models=models, config=config)

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with the labels that the task brings for what is filled."""
        for control in self.config.controls:
            if control.faults and any(step.fills(control) for step, _ in self.models):
                yield from control.faults

    @property
    def names(self) -> str:
        """The backends, for log and figures."""
        return "+".join(step.backend.name for step in self.plan.steps) or "none"


class InputReader:
    """Starts readings, and waits for what comes of them."""

    def __init__(
        self, models: ModelRegistry, figures: PipelineMetrics, answers: OutputCache
    ) -> None:
        self._models = models
        self._figures = figures
        self._answers = answers
        self._readers = FairPool(READER_THREADS, "read")
        self._urgent = FairPool(INTERACTIVE_READER_THREADS, "read now")

    def submit(self, run: RequestRun, raw: Any) -> PendingTask:
        """Read a task, in a thread if there is something to wait for."""
        here = all(step.backend.reads_inline(step.claims[0]) for step, _ in run.models)
        if here or not run.scope.seconds_left():  # a thread would cost more than there is to read
            return self._read_here(run, raw)
        readers = self._urgent if run.scope.interactive else self._readers
        work = partial(contextvars.copy_context().run, self._read, run, raw)
        return readers.submit(id(run), work)

    def wait_for_outputs(self, run: RequestRun, reading: PendingTask) -> list[Any]:
        """What each model said of a task; of one that fails the rest is taken from the queues."""
        try:
            outputs = run.scope.wait_for(reading)
            return [
                step.backend.join([run.scope.wait_for(part) for part in parts])
                for (step, _), parts in zip(run.models, outputs, strict=True)
            ]
        except Exception:
            _cancel_parts(reading)
            raise

    def cancel_run(self, run: RequestRun) -> None:
        """Nobody wants the rest of a request."""
        self._readers.cancel_owner(id(run))
        self._urgent.cancel_owner(id(run))
        for _, model in run.models:
            model.cancel_owner(id(run))

    def close(self) -> None:
        """Stop the threads."""
        self._readers.close()
        self._urgent.close()

    def _read_here(self, run: RequestRun, raw: Any) -> PendingTask:
        reading: PendingTask = Future()
        try:
            reading.set_result(self._read(run, raw))
        except Exception as error:  # as in a thread: it is caught where the task is finished
            reading.set_exception(error)
        return reading

    def _read(self, run: RequestRun, raw: Any) -> list[list[Future[Any]]]:
        """In a reading thread: the task's inputs, each handed to its model's queue.

        What is read when the deadline comes is inferred all the same: asked again, it is known.
        """
        run.scope.raise_if_over()
        start = time.perf_counter()
        task = Task.parse(raw)
        with memoized_reads() if len(run.models) > 1 else nullcontext():
            items = [
                step.backend.read(task, step.claims[0], run.context)
                for step, _ in run.for_task(task).models
            ]
        self._figures.observe_stage("read", run.names, time.perf_counter() - start)
        if run.scope.is_disconnected:
            run.scope.raise_if_over()
        return [
            self._submitted(run, step, model, item)
            for (step, model), item in zip(run.models, items, strict=True)
        ]

    def _submitted(
        self, run: RequestRun, step: "ModelStep", model: Model, item: Any
    ) -> "list[Future[Any]]":
        """The parts of a task, queued; none is left there once nobody waits for the whole."""
        parts = step.backend.split(item)
        queued: list[Future[Any]] = []
        try:
            for part in parts:
                if len(parts) > 1:  # it takes long: no more of it after the deadline
                    run.scope.raise_if_over()
                queued.append(self._submit(run, step, model, part))
            if run.scope.is_disconnected or (len(parts) > 1 and not run.scope.seconds_left()):
                run.scope.raise_if_over()
        except Exception:  # what had been queued was dropped with the rest of the request, or
            for future in queued:  # came too late for that
                future.cancel()
            raise
        return queued

    def _submit(self, run: RequestRun, step: "ModelStep", model: Model, item: Any) -> "Future[Any]":
        """The output for a part, if the model has said it before; else it is queued."""
        spec = step.claims[0].spec
        content = step.backend.cache_key(item) if self._answers.max_bytes else None
        if content is None:
            run.scope.raise_if_over()
            return model.submit(item, run.scope.interactive, id(run))
        key = spec, self._models.known_weights_hash(step.backend, spec), content
        known = self._answers.get(key)
        if known is not None:
            future: Future[Any] = Future()
            future.set_result(known[0])
            return future
        future = model.submit(item, run.scope.interactive, id(run))
        future.add_done_callback(partial(self._keep, key))
        return future

    def _keep(self, key: Any, future: "Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            self._answers.put(key, future.result())


def _cancel_parts(reading: PendingTask) -> None:
    """Take what is left of a task out of the queues: nobody waits for it."""
    if not reading.cancel() and reading.done() and reading.exception() is None:
        for parts in reading.result():
            for part in parts:
                part.cancel()
