"""Reads tasks and submits what the models need of them: in threads, ahead of their turn."""

import contextvars
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

from shared.backend.base import Context
from shared.errors import UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_task_labels
from shared.media.reader import memoized_reads
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import AnyQueue, ModelRegistry
from shared.pipeline.output_cache import OutputCache, fingerprint
from shared.pipeline.plan import ModelStep, PredictionPlan
from shared.pipeline.prompted_claims import prompting_claims, read_prompts
from shared.pipeline.scheduling.fair_queue import FairPool
from shared.pipeline.scheduling.request_scope import RequestScope

T = TypeVar("T")

# Threads that fetch and decode files.
READER_THREADS = 8
# More of them for interactive requests, which do not wait for what others read.
INTERACTIVE_READER_THREADS = 4

# Reads and submits what a step needs that waits for others: its place, and the outputs of all.
SubmitPrompted = Callable[[int, Sequence[Any]], "Future[list[Future[Any]]]"]
# For each step the futures of its item's parts; None for one that waits for others' regions.
PartFutures = list[list[Future[Any]] | None]


@dataclass(frozen=True)
class RequestRun:
    """The state of one request that runs through a plan: shared by all of its tasks."""

    plan: PredictionPlan
    models: Sequence[tuple[ModelStep, AnyQueue]]
    version: str
    context: Context | None
    scope: RequestScope
    config: LabelConfig

    def for_task(self, task: Task) -> "RequestRun":
        """Return the run with the labels that a task brings; itself if it brings none."""
        if not self.config.dynamic_controls:
            return self
        config = with_task_labels(self.config, task.data)
        if config is self.config:
            return self
        models = [(step.for_task(config), model) for step, model in self.models]
        return replace(self, models=models, config=config)

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with the labels that the task brings for what is filled."""
        for control in self.config.controls:
            if control.label_faults and any(step.fills_control(control) for step, _ in self.models):
                yield from control.label_faults

    @cached_property
    def prompted(self) -> frozenset[int]:
        """The places of the steps that wait for the regions of others."""
        steps = [step for step, _ in self.models]
        return frozenset(n for n, step in enumerate(steps) if prompting_claims(step, steps))

    @property
    def names(self) -> str:
        """The backends, for logs and metrics."""
        return self.plan.backend_names


class PendingTask:
    """A task that is being read; then its items are in the models' queues."""

    def __init__(
        self, run: RequestRun, reading: "Future[PartFutures]", submit_prompted: SubmitPrompted
    ) -> None:
        self._run = run
        self._reading = reading
        self._submit_prompted = submit_prompted

    def outputs(self) -> list[Any]:
        """Wait for the output of each step; if one fails, the rest is taken out of the queues.

        UnfillableError is the output of a step whose prompts cannot be filled.
        """
        try:
            futures = self._run.scope.wait_for(self._reading)
            outputs = [
                None if parts is None else self._join(step, parts)
                for (step, _), parts in zip(self._run.models, futures, strict=True)
            ]
            for place in self._run.prompted:
                outputs[place] = self._output_of_prompted(place, outputs)
            return outputs
        except Exception:
            self._cancel()
            raise

    def _join(self, step: ModelStep, parts: "list[Future[Any]]") -> Any:
        return step.backend.join([self._run.scope.wait_for(part) for part in parts])

    def _output_of_prompted(self, place: int, outputs: Sequence[Any]) -> Any:
        """Wait for the output of a step that is shown the regions of others."""
        submitted = self._submit_prompted(place, outputs)
        try:
            return self._join(self._run.models[place][0], self._run.scope.wait_for(submitted))
        except UnfillableError as error:
            return error

    def _cancel(self) -> None:
        reading = self._reading
        if not reading.cancel() and reading.done() and reading.exception() is None:
            for parts in reading.result():
                for part in parts or ():
                    part.cancel()


class InputReader:
    """Starts the reading of tasks, and submits their items to the models."""

    def __init__(
        self, models: ModelRegistry, metrics: PipelineMetrics, output_cache: OutputCache
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._output_cache = output_cache
        self._bulk_readers = FairPool(READER_THREADS, "read")
        self._interactive_readers = FairPool(INTERACTIVE_READER_THREADS, "read now")

    def submit(self, run: RequestRun, raw: Any) -> PendingTask:
        """Start reading a task: in a thread, unless there is nothing to wait for."""
        inline = all(step.backend.reads_inline(step.claims[0]) for step, _ in run.models)
        if inline or not run.scope.seconds_left():  # handing it over would cost more than reading
            reading = _run_now(partial(self._read, run, raw))
        else:
            reading = self._hand_over(run, partial(self._read, run, raw))

        def submit_prompted(place: int, outputs: Sequence[Any]) -> "Future[list[Future[Any]]]":
            return self._hand_over(run, partial(self._read_prompted, run, raw, place, outputs))

        return PendingTask(run, reading, submit_prompted)

    def _hand_over(self, run: RequestRun, work: Callable[[], T]) -> "Future[T]":
        """Let a thread do the reading that belongs to a request."""
        readers = self._interactive_readers if run.scope.interactive else self._bulk_readers
        return readers.submit(id(run), partial(contextvars.copy_context().run, work))

    def cancel_run(self, run: RequestRun) -> None:
        """Cancel what is left of a request."""
        self._bulk_readers.cancel_owner(id(run))
        self._interactive_readers.cancel_owner(id(run))
        for _, model in run.models:
            model.cancel_owner(id(run))

    def close(self) -> None:
        """Stop the threads."""
        self._bulk_readers.close()
        self._interactive_readers.close()

    def _read(self, run: RequestRun, raw: Any) -> PartFutures:
        """Read a task's items and submit each to its model.

        What has been read when the deadline comes is submitted all the same: the output is cached
        for the next request.
        """
        run.scope.raise_if_over()
        start = time.perf_counter()
        task = Task.parse(raw)
        with memoized_reads() if len(run.models) > 1 else nullcontext():
            items = [
                None
                if place in run.prompted
                else step.backend.read(task, step.claims[0], run.context)
                for place, (step, _) in enumerate(run.for_task(task).models)
            ]
        self._metrics.observe_stage("read", run.names, time.perf_counter() - start)
        if run.scope.is_disconnected:
            run.scope.raise_if_over()
        return [
            None if place in run.prompted else self._submit_parts(run, *run.models[place], item)
            for place, item in enumerate(items)
        ]

    def _read_prompted(
        self, run: RequestRun, raw: Any, place: int, outputs: Sequence[Any]
    ) -> "list[Future[Any]]":
        """Read the item of a step that is shown the regions of others, and submit it."""
        run.scope.raise_if_over()
        task = Task.parse(raw)
        bound = run.for_task(task)
        step, model = bound.models[place]
        others = [(other, output) for (other, _), output in zip(bound.models, outputs, strict=True)]
        regions = read_prompts(step, others, run.plan.config)
        item = step.backend.read_prompted(task, step.claims[0], regions)
        return self._submit_parts(run, step, model, item)

    def _submit_parts(
        self, run: RequestRun, step: ModelStep, model: AnyQueue, item: Any
    ) -> "list[Future[Any]]":
        """Submit the parts of an item; none stays queued if the request ends meanwhile."""
        parts = step.backend.split(item)
        queued: list[Future[Any]] = []
        try:
            for part in parts:
                if len(parts) > 1:  # parts take long: submit no more of them after the deadline
                    run.scope.raise_if_over()
                queued.append(self._submit_part(run, step, model, part))
            if run.scope.is_disconnected or (len(parts) > 1 and not run.scope.seconds_left()):
                run.scope.raise_if_over()
        except Exception:  # `cancel_run` may have come before some of these were queued
            for future in queued:
                future.cancel()
            raise
        return queued

    def _submit_part(
        self, run: RequestRun, step: ModelStep, model: AnyQueue, part: Any
    ) -> "Future[Any]":
        """Return the cached output for a part, or submit it to the model."""
        content = step.backend.cache_key(part) if self._output_cache.max_bytes else None
        content_hash = None if content is None else fingerprint(content)
        if content_hash is None:
            run.scope.raise_if_over()
            return model.submit(part, run.scope.interactive, id(run))
        weights_hash = self._models.known_weights_hash(step.backend, step.spec)
        key = step.spec, weights_hash, content_hash
        cached = self._output_cache.get(key)
        future: Future[Any]
        if cached is not None:
            future = Future()
            future.set_result(cached[0])
            return future
        future = model.submit(part, run.scope.interactive, id(run))
        future.add_done_callback(partial(self._cache_output, key))
        return future

    def _cache_output(self, key: Any, future: "Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            self._output_cache.put(key, future.result())


def _run_now(work: Any) -> "Future[Any]":
    """Return a finished future of work that is done here, as a thread pool would."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future
