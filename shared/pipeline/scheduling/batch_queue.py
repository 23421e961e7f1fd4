"""The queue of a loaded model: items of all requests run in shared batches."""

import gc
import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from shared.errors import InferenceError, TaskError
from shared.pipeline.scheduling.batch_policy import BatchPolicy
from shared.pipeline.scheduling.fair_queue import FairQueue
from shared.pipeline.tracing import Tracing, Waiting

logger = logging.getLogger(__name__)

_OUT_OF_MEMORY = re.compile(
    "out of memory|out_of_memory|allocate memory|bad.?alloc|failed to allocate", re.IGNORECASE
)


class QueuedItem(NamedTuple):
    """An item, the future of its output, whether it goes first, its size, its trace."""

    item: Any
    future: "Future[Any]"
    interactive: bool
    size: float
    waiting: Waiting | None


class ModelQueue:
    """Runs single items in batches, and gives each its own output.

    What arrives while one batch runs makes the next one; `BatchPolicy` decides how large it is.
    Interactive items go first, in batches of their own, unless the request has too many of them;
    requests take turns. A bulk batch has items of similar size: the one whose turn it is, and those
    nearest to it. `on_batch` is called after each batch with its number of items and seconds.

    With several `threads`, each forms batches and calls `infer`: an engine that runs some at once
    never waits for the slowest of a batch, nor for the next one to be prepared.
    """

    def __init__(
        self,
        infer: Callable[[list[Any]], Sequence[Any]],
        batch_size: int,
        name: str,
        on_batch: Callable[[int, float], None] = lambda items, seconds: None,
        item_size: Callable[[Any], float] = lambda item: 1.0,
        tracing: Tracing | None = None,
        threads: int = 1,
    ) -> None:
        self._infer = infer
        self._name = name
        self._on_batch = on_batch
        self._item_size = item_size
        self._tracing = tracing or Tracing()
        self._policy = BatchPolicy(batch_size)  # guarded by `_wake`, as is `_running`
        self._running = 0
        self._interactive: FairQueue[QueuedItem] = FairQueue()
        self._bulk: FairQueue[QueuedItem] = FairQueue()
        self._wake = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run_batches, name=f"infer {name}", daemon=True)
            for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, item: Any, interactive: bool = False, owner: Hashable = None) -> "Future[Any]":
        """Queue an item of an owner (a request), and return the future of its output."""
        future: Future[Any] = Future()
        waiting = self._tracing.start_waiting()
        size = self._item_size(item)
        with self._wake:
            if self._closed:
                future.set_exception(InferenceError(f"{self._name} is shutting down"))
                return future
            first = interactive and self._goes_first(owner, size)
            entry = QueuedItem(item, future, first, size, waiting)
            (self._interactive if first else self._bulk).put(owner, entry)
            self._wake.notify()
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel all items of an owner that have not begun."""
        with self._wake:
            for entry in (*self._interactive.remove_owner(owner), *self._bulk.remove_owner(owner)):
                entry.future.cancel()

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def close(self) -> None:
        """Stop after the running batches, and cancel the rest."""
        with self._wake:
            self._closed = True
            for lane in (self._interactive, self._bulk):
                while lane:
                    lane.take().future.cancel()
            self._wake.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the threads, which hold the model, to end after `close`."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _goes_first(self, owner: Hashable, size: float) -> bool:
        """Return whether an item for which a user waits goes before bulk work, and note the user.

        The first items of a request do; those of a long one that is behind them do not.
        """
        queued = [entry.size for entry in self._interactive.of_owner(owner)]
        first = self._policy.goes_first(queued, size)
        if first:
            self._policy.record_interactive_item(owner)
        else:
            self._policy.record_long_request(owner)
        return first

    def _run_batches(self) -> None:
        while batch := self._next_batch():
            self._run_or_halve(batch)
            del batch  # or its items would stay alive until the next batch

    def _next_batch(self) -> list[QueuedItem]:
        with self._wake:
            while not self._closed:
                if not self:
                    self._policy.record_idle()
                    self._wake.wait()
                    continue
                self._wait_to_fill()
                if self and (batch := self._take_batch()):  # another thread may have been quicker
                    return batch
        return []

    def _wait_to_fill(self) -> None:
        """Give the clients of the last batch a moment to ask again.

        Without it a model that serves several clients in turn would run half-full batches: the
        first to return would find the queue empty but for itself.
        """
        until = time.monotonic() + self._fill_wait_seconds()
        while self._fill_wait_seconds() and not self._closed:
            if not self._wake.wait(until - time.monotonic()):
                return

    def _fill_wait_seconds(self) -> float:
        return self._policy.fill_wait_seconds(len(self._interactive), len(self._bulk))

    def _take_batch(self) -> list[QueuedItem]:
        """Take the next batch: interactive, unless bulk work is due its share."""
        interactive = not self._bulk or (bool(self._interactive) and not self._policy.is_bulk_due())
        return self._interactive_batch() if interactive else self._similar_batch()

    def _interactive_batch(self) -> list[QueuedItem]:
        batch: list[QueuedItem] = []
        max_items = self._policy.max_items(interactive=True)
        while self._interactive and len(batch) < max_items:
            batch += _claimed(self._interactive.take())
        return batch

    def _similar_batch(self) -> list[QueuedItem]:
        """Take the bulk item whose turn it is, and others of similar size, to save padding."""
        limits = self._policy.bulk_limits()
        first = self._bulk.take()
        batch, load = _claimed(first), first.size

        def fits(entry: QueuedItem) -> bool:
            has_room = len(batch) < limits.min_items or load + entry.size <= limits.max_load
            return has_room and len(batch) < limits.max_items

        for entry in self._bulk.take_similar(lambda entry: abs(entry.size - first.size), fits):
            batch += _claimed(entry)
            load += entry.size
        return batch

    def _run_or_halve(self, batch: list[QueuedItem]) -> None:
        """Run a batch; if it fails, halve it until the item that breaks it is alone."""
        error = self._run_batch(batch)
        if error is None:
            return
        if len(batch) == 1:
            self._fail_item(batch[0], error)
            return
        if is_out_of_memory(error):
            with self._wake:
                self._policy.record_out_of_memory(len(batch))
            logger.warning("%s ran out of memory on %d items: halving", self._name, len(batch))
            gc.collect()
        middle = len(batch) // 2
        self._run_or_halve(batch[:middle])
        self._run_or_halve(batch[middle:])

    def _run_batch(self, batch: list[QueuedItem]) -> BaseException | None:
        """Run a batch, and return the error if it fails.

        The error of several items comes without its frames: they would keep the batch's memory
        while its halves run.
        """
        start = time.perf_counter()
        with self._wake:
            self._running += 1
        try:
            outputs = self._infer([entry.item for entry in batch])
            if len(outputs) != len(batch):
                raise InferenceError(
                    f"{self._name} gave {len(outputs)} outputs for {len(batch)} inputs"
                )
        except (Exception, SystemExit) as error:  # a model library may raise anything
            self._end_batch()
            return error if len(batch) == 1 else error.with_traceback(None)
        seconds = time.perf_counter() - start
        self._end_batch(batch, seconds)
        self._on_batch(len(batch), seconds)
        waiting = (entry.waiting for entry in batch)
        self._tracing.record_batch(waiting, self._name, len(batch), seconds)
        for entry, output in zip(batch, outputs, strict=True):
            if isinstance(output, TaskError):
                self._fail_item(entry, output)
            else:
                entry.future.set_result(output)
        return None

    def _end_batch(self, batch: Sequence[QueuedItem] = (), seconds: float = 0.0) -> None:
        """Note that a batch has ended, and what it took of the model's time; none if it failed."""
        with self._wake:
            share = seconds / self._running  # the model's time is that of all that run at once
            self._running -= 1
            if batch:
                load = sum(entry.size for entry in batch)
                self._policy.record_batch(batch[0].interactive, len(batch), share, load)

    def _fail_item(self, entry: QueuedItem, error: BaseException) -> None:
        entry.future.set_exception(item_error(error, self._name))


def item_error(error: BaseException, name: str) -> TaskError:
    """Return the error for an item on which a model failed; it is logged if it is unforeseen."""
    if isinstance(error, TaskError):
        return error
    logger.error("%s failed on an item", name, exc_info=error)
    verb = "ran out of memory" if is_out_of_memory(error) else "failed"
    return InferenceError(f"{name} {verb} on this task: {type(error).__name__}")


def single_output(outputs: Sequence[Any], name: str) -> Any:
    """Return the output for one item, or raise it if it is a TaskError.

    InferenceError if there are more, or none.
    """
    if len(outputs) != 1:
        raise InferenceError(f"{name} gave {len(outputs)} outputs for 1 input")
    if isinstance(outputs[0], TaskError):
        raise outputs[0]
    return outputs[0]


def _claimed(entry: QueuedItem) -> list[QueuedItem]:
    """Return the entry in a list, or nothing if it was cancelled."""
    return [entry] if entry.future.set_running_or_notify_cancel() else []


class InlineModel:
    """Stands for a queue where the model is quicker than one: it runs in the calling thread."""

    def __init__(self, infer: Callable[[list[Any]], Sequence[Any]], name: str) -> None:
        self._infer = infer
        self._name = name

    def infer_one(self, item: Any) -> Any:
        """Return the output for an item."""
        return single_output(self._infer([item]), self._name)

    def submit(self, item: Any, interactive: bool = False, owner: Hashable = None) -> "Future[Any]":
        """Infer an item at once, as a queue does later: for plans with other steps that queue."""
        future: Future[Any] = Future()
        try:
            future.set_result(self.infer_one(item))
        except Exception as error:  # raised again by the future, as with a queue
            future.set_exception(error)
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Do nothing: nothing is queued."""

    def __len__(self) -> int:
        return 0

    def close(self) -> None:
        """Do nothing: nothing is queued."""

    def join(self, seconds: float) -> None:
        """Do nothing: there is no thread."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, on a CPU or a GPU, in whatever words a library says so."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error))))
    )
