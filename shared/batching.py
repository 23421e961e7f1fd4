"""One queue and one worker a loaded model: items of all requests run in common batches."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from shared.errors import InferenceError, TaskError

logger = logging.getLogger(__name__)

Entry = tuple[Any, "Future[Any]"]


class ModelQueue:
    """Takes single items, runs them in batches, gives each its own output.

    It never waits for a batch to fill: what has arrived while one batch ran is the next one.
    """

    def __init__(
        self, infer: Callable[[list[Any]], Sequence[Any]], batch_size: int, name: str
    ) -> None:
        self._infer = infer
        self._batch_size = batch_size
        self._name = name
        self._urgent: deque[Entry] = deque()
        self._bulk: deque[Entry] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"infer {name}", daemon=True)
        self._thread.start()

    def submit(self, item: Any, urgent: bool = False) -> "Future[Any]":
        """Queue an item; urgent ones (a user waits before the editor) go first."""
        future: Future[Any] = Future()
        with self._wake:
            if self._closed:
                future.set_exception(InferenceError(f"{self._name} is shutting down"))
                return future
            (self._urgent if urgent else self._bulk).append((item, future))
            self._wake.notify()
        return future

    def __len__(self) -> int:
        return len(self._urgent) + len(self._bulk)

    def close(self) -> None:
        """Finish the running batch, cancel the rest."""
        with self._wake:
            self._closed = True
            for _, future in [*self._urgent, *self._bulk]:
                future.cancel()
            self._wake.notify()

    def _work(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[Entry]:
        with self._wake:
            while not self._closed:
                batch: list[Entry] = []
                while len(batch) < self._batch_size and (self._urgent or self._bulk):
                    entry = (self._urgent or self._bulk).popleft()
                    if entry[1].set_running_or_notify_cancel():
                        batch.append(entry)
                if batch:
                    return batch
                self._wake.wait()
        return []

    def _run(self, batch: list[Entry]) -> None:
        try:
            outputs = self._infer([item for item, _ in batch])
            if len(outputs) != len(batch):
                raise InferenceError(
                    f"{self._name} gave {len(outputs)} outputs for {len(batch)} inputs"
                )
        except (Exception, SystemExit) as error:  # a model library may raise anything
            self._failed(batch, error)
            return
        for (_, future), output in zip(batch, outputs, strict=True):
            future.set_result(output)

    def _failed(self, batch: list[Entry], error: BaseException) -> None:
        """Halve the batch until the item that breaks it is alone: it costs only itself."""
        if len(batch) > 1:
            middle = len(batch) // 2
            self._run(batch[:middle])
            self._run(batch[middle:])
            return
        if not isinstance(error, TaskError):
            logger.error("%s failed on an item", self._name, exc_info=error)
            error = InferenceError(f"{self._name} failed on this task: {type(error).__name__}")
        batch[0][1].set_exception(error)
