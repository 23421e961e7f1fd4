"""Tasks on their way to the models: read in threads, known answers looked up, the rest queued."""

import contextvars
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.answer_cache import AnswerCache
from shared.batching import InstantModel, ModelQueue
from shared.figures import Figures
from shared.label_config import LabelConfig
from shared.media import read_once
from shared.models import ModelStore
from shared.task import Task
from shared.task_labels import with_labels_of
from shared.turns import FairPool
from shared.waiting import Waiting

if TYPE_CHECKING:
    from shared.backend import Context
    from shared.route import Route, Step

READERS = 8
"""Threads that fetch and decode."""
URGENT_READERS = 4
"""Threads that do so for users who wait before the editor, whatever else is being read."""

Model = ModelQueue | InstantModel
Reading = Future[list[list[Future[Any]]]]
"""A task's reading, which ends in the futures of each output's parts."""


@dataclass(frozen=True)
class Run:
    """What the tasks of one request have in common."""

    route: "Route"
    models: Sequence[tuple["Step", Model]]
    version: str
    context: "Context | None"
    waiting: Waiting
    config: LabelConfig

    def for_task(self, task: Task) -> "Run":
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
        return "+".join(step.backend.name for step in self.route.steps) or "none"


class Readings:
    """Starts readings, and waits for what comes of them."""

    def __init__(self, models: ModelStore, figures: Figures, answers: AnswerCache) -> None:
        self._models = models
        self._figures = figures
        self._answers = answers
        self._readers = FairPool(READERS, "read")
        self._urgent = FairPool(URGENT_READERS, "read now")

    def start(self, run: Run, raw: Any) -> Reading:
        """Read a task, in a thread if there is something to wait for."""
        here = all(step.backend.reads_at_once(step.claims[0]) for step, _ in run.models)
        if here or not run.waiting.left():  # a thread would cost more than there is to read
            return self._read_here(run, raw)
        readers = self._urgent if run.waiting.urgent else self._readers
        work = partial(contextvars.copy_context().run, self._read, run, raw)
        return readers.submit(id(run), work)

    def outputs(self, run: Run, reading: Reading) -> list[Any]:
        """What each model said of a task; of one that fails the rest is taken from the queues."""
        try:
            outputs = run.waiting.result(reading)
            return [
                step.backend.whole([run.waiting.result(part) for part in parts])
                for (step, _), parts in zip(run.models, outputs, strict=True)
            ]
        except Exception:
            _give_up(reading)
            raise

    def drop(self, run: Run) -> None:
        """Nobody wants the rest of a request."""
        self._readers.drop(id(run))
        self._urgent.drop(id(run))
        for _, model in run.models:
            model.drop(id(run))

    def close(self) -> None:
        """Stop the threads."""
        self._readers.close()
        self._urgent.close()

    def _read_here(self, run: Run, raw: Any) -> Reading:
        reading: Reading = Future()
        try:
            reading.set_result(self._read(run, raw))
        except Exception as error:  # as in a thread: it is caught where the task is finished
            reading.set_exception(error)
        return reading

    def _read(self, run: Run, raw: Any) -> list[list[Future[Any]]]:
        """In a reading thread: the task's inputs, each handed to its model's queue.

        What is read when the deadline comes is inferred all the same: asked again, it is known.
        """
        run.waiting.check()
        start = time.perf_counter()
        task = Task.parse(raw)
        with read_once() if len(run.models) > 1 else nullcontext():
            items = [
                step.backend.read(task, step.claims[0], run.context)
                for step, _ in run.for_task(task).models
            ]
        self._figures.took("read", run.names, time.perf_counter() - start)
        if run.waiting.gone:
            run.waiting.check()
        return [
            self._submitted(run, step, model, item)
            for (step, model), item in zip(run.models, items, strict=True)
        ]

    def _submitted(self, run: Run, step: "Step", model: Model, item: Any) -> "list[Future[Any]]":
        """The parts of a task, queued; none is left there once nobody waits for the whole."""
        parts = step.backend.parts(item)
        queued: list[Future[Any]] = []
        try:
            for part in parts:
                if len(parts) > 1:  # it takes long: no more of it after the deadline
                    run.waiting.check()
                queued.append(self._submit(run, step, model, part))
            if run.waiting.gone or (len(parts) > 1 and not run.waiting.left()):
                run.waiting.check()
        except Exception:  # what had been queued was dropped with the rest of the request, or
            for future in queued:  # came too late for that
                future.cancel()
            raise
        return queued

    def _submit(self, run: Run, step: "Step", model: Model, item: Any) -> "Future[Any]":
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


def _give_up(reading: Reading) -> None:
    """Take what is left of a task out of the queues: nobody waits for it."""
    if not reading.cancel() and reading.done() and reading.exception() is None:
        for parts in reading.result():
            for part in parts:
                part.cancel()
