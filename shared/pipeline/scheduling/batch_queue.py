"""One queue and one worker a loaded model: items of all requests run in common batches."""

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

logger = logging.getLogger(__name__)

_OUT_OF_MEMORY = re.compile(
    "out of memory|out_of_memory|allocate memory|bad.?alloc|failed to allocate", re.IGNORECASE
)


class QueuedItem(NamedTuple):
    """An item, where its output goes, whether a user waits for it, and how large it is."""

    item: Any
    future: "Future[Any]"
    interactive: bool
    size: float


class ModelQueue:
    """Takes single items, runs them in batches, gives each its own output.

    What has arrived while one batch ran is the next one; see `Pace` for their size. Items that
    users wait for go first, in batches of their own; requests take turns. The others' batches
    are of items of like `size`: the one that came first, and those that are nearest to it. `ran`
    is told of each batch: its items and seconds.
    """

    def __init__(
        self,
        infer: Callable[[list[Any]], Sequence[Any]],
        batch_size: int,
        name: str,
        ran: Callable[[int, float], None] = lambda items, seconds: None,
        size: Callable[[Any], float] = lambda item: 1.0,
    ) -> None:
        self._infer = infer
        self._name = name
        self._ran = ran
        self._size = size
        self._pace = BatchPolicy(batch_size)
        self._urgent: FairQueue[QueuedItem] = FairQueue()
        self._bulk: FairQueue[QueuedItem] = FairQueue()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run_batches, name=f"infer {name}", daemon=True)
        self._thread.start()

    def submit(self, item: Any, interactive: bool = False, owner: Hashable = None) -> "Future[Any]":
        """Queue an item of an owner (a request); urgent ones go first."""
        future: Future[Any] = Future()
        entry = QueuedItem(item, future, interactive, self._size(item))
        with self._wake:
            if self._closed:
                future.set_exception(InferenceError(f"{self._name} is shutting down"))
                return future
            (self._urgent if interactive else self._bulk).put(owner, entry)
            if interactive:
                self._pace.record_interactive_item()
            self._wake.notify()
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel what an owner has queued."""
        with self._wake:
            for entry in (*self._urgent.remove_owner(owner), *self._bulk.remove_owner(owner)):
                entry.future.cancel()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._bulk)

    def close(self) -> None:
        """Finish the running batch, cancel the rest."""
        with self._wake:
            self._closed = True
            for lane in (self._urgent, self._bulk):
                while lane:
                    lane.take().future.cancel()
            self._wake.notify()

    def _run_batches(self) -> None:
        while batch := self._next_batch():
            self._run_or_halve(batch)
            del batch  # or its items would live on until the next one

    def _next_batch(self) -> list[QueuedItem]:
        with self._wake:
            while not self._closed:
                if not self:
                    self._pace.record_idle()
                    self._wake.wait()
                    continue
                self._wait_to_fill()
                if batch := self._take_batch():
                    return batch
        return []

    def _wait_to_fill(self) -> None:
        """Wait for those who were in the last batch, if that was just now."""
        until = time.monotonic() + self._fill_wait_seconds()
        while self._fill_wait_seconds() and not self._closed:
            if not self._wake.wait(until - time.monotonic()):
                return

    def _fill_wait_seconds(self) -> float:
        return self._pace.fill_wait_seconds(len(self._urgent), len(self._bulk))

    def _take_batch(self) -> list[QueuedItem]:
        """The next batch, of those that users wait for or of the others."""
        urgent = not self._bulk or (bool(self._urgent) and not self._pace.is_bulk_due())
        return self._interactive_batch() if urgent else self._similar_batch()

    def _interactive_batch(self) -> list[QueuedItem]:
        batch: list[QueuedItem] = []
        most = self._pace.max_items(interactive=True)
        while self._urgent and len(batch) < most:
            batch += _claimed(self._urgent.take())
        return batch

    def _similar_batch(self) -> list[QueuedItem]:
        """The item whose turn it is, and those of like size."""
        bounds = self._pace.bulk_limits()
        first = self._bulk.take()
        batch, load = _claimed(first), first.size

        def fits(entry: QueuedItem) -> bool:
            room = len(batch) < bounds.min_items or load + entry.size <= bounds.max_load
            return room and len(batch) < bounds.max_items

        for entry in self._bulk.take_similar(lambda entry: abs(entry.size - first.size), fits):
            batch += _claimed(entry)
            load += entry.size
        return batch

    def _run_or_halve(self, batch: list[QueuedItem]) -> None:
        """Halve a batch that fails until the item that breaks it is alone: it costs only itself."""
        error = self._run_batch(batch)
        if error is None:
            return
        if len(batch) == 1:
            self._fail_item(batch[0], error)
            return
        if is_out_of_memory(error):
            self._pace.record_out_of_memory(len(batch))
            logger.warning("%s ran out of memory on %d items: halving", self._name, len(batch))
            gc.collect()
        middle = len(batch) // 2
        self._run_or_halve(batch[:middle])
        self._run_or_halve(batch[middle:])

    def _run_batch(self, batch: list[QueuedItem]) -> BaseException | None:
        """Run a batch; the error, if it fails: of several without the frames, which hold memory."""
        start = time.perf_counter()
        try:
            outputs = self._infer([entry.item for entry in batch])
            if len(outputs) != len(batch):
                raise InferenceError(
                    f"{self._name} gave {len(outputs)} outputs for {len(batch)} inputs"
                )
        except (Exception, SystemExit) as error:  # a model library may raise anything
            return error if len(batch) == 1 else error.with_traceback(None)
        seconds = time.perf_counter() - start
        self._pace.record_batch(
            batch[0].interactive, len(batch), seconds, sum(entry.size for entry in batch)
        )
        self._ran(len(batch), seconds)
        for entry, output in zip(batch, outputs, strict=True):
            entry.future.set_result(output)
        return None

    def _fail_item(self, entry: QueuedItem, error: BaseException) -> None:
        if not isinstance(error, TaskError):
            logger.error("%s failed on an item", self._name, exc_info=error)
            what = "ran out of memory" if is_out_of_memory(error) else "failed"
            error = InferenceError(f"{self._name} {what} on this task: {type(error).__name__}")
        entry.future.set_exception(error)


def _claimed(entry: QueuedItem) -> list[QueuedItem]:
    """The entry, unless nobody waits for it any more."""
    return [entry] if entry.future.set_running_or_notify_cancel() else []


class InlineModel:
    """A model that answers sooner than a queue would: it runs in the thread that asks."""

    def __init__(self, infer: Callable[[list[Any]], Sequence[Any]], name: str) -> None:
        self._infer = infer
        self._name = name

    def infer_one(self, item: Any) -> Any:
        """The output for an item."""
        outputs = self._infer([item])
        if len(outputs) != 1:
            raise InferenceError(f"{self._name} gave {len(outputs)} outputs for 1 inputs")
        return outputs[0]

    def submit(self, item: Any, interactive: bool = False, owner: Hashable = None) -> "Future[Any]":
        """The same for whoever expects a queue: among other steps that are not instant."""
        future: Future[Any] = Future()
        try:
            future.set_result(self.infer_one(item))
        except Exception as error:  # as in the worker of a queue
            future.set_exception(error)
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Nothing is queued."""

    def __len__(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is queued."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a CPU or a GPU, whatever library says so and how."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error))))
    )
