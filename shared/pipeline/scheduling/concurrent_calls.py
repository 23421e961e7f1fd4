"""The queue of a model on another machine: each item is a call of its own, several at once."""

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any

from shared.errors import InferenceError
from shared.pipeline.scheduling.batch_queue import item_error, single_output
from shared.pipeline.scheduling.fair_queue import FairPool
from shared.pipeline.tracing import Tracing, Waiting

# Of the calls at the same time, one in so many is kept for interactive items, and one at least.
INTERACTIVE_SHARE = 4


class ConcurrentCalls:
    """Runs up to `calls` items at the same time, each alone in a thread of its own.

    Requests take turns. Interactive items go first, and some of the calls are kept for them, so
    that they do not wait for bulk items. Threads start when they are needed. A call has the context
    variables of its request, such as the project. `on_batch` is called after each item with 1 and
    its seconds.
    """

    def __init__(
        self,
        infer: Callable[[list[Any]], Sequence[Any]],
        calls: int,
        name: str,
        on_batch: Callable[[int, float], None] = lambda items, seconds: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._infer = infer
        self._name = name
        self._on_batch = on_batch
        self._tracing = tracing or Tracing()
        kept = max(1, calls // INTERACTIVE_SHARE) if calls > 1 else 0
        self._pool = FairPool(calls, f"call {name}", kept)

    def submit(self, item: Any, interactive: bool = False, owner: Hashable = None) -> "Future[Any]":
        """Queue an item of an owner (a request), and return the future of its output."""
        work = partial(copy_context().run, self._call, item, self._tracing.start_waiting())
        try:
            return self._pool.submit(owner, work, interactive)
        except RuntimeError:  # the pool is closed
            future: Future[Any] = Future()
            future.set_exception(InferenceError(f"{self._name} is shutting down"))
            return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel all items of an owner that have not begun."""
        self._pool.cancel_owner(owner)

    def __len__(self) -> int:
        return len(self._pool)

    def close(self) -> None:
        """Stop after the running calls, and cancel the rest."""
        self._pool.close()

    def join(self, seconds: float) -> None:
        """Do nothing: running calls end by their own time limit, and hold no model."""

    def _call(self, item: Any, waiting: Waiting | None) -> Any:
        start = time.perf_counter()
        try:
            output = single_output(self._infer([item]), self._name)
        except (Exception, SystemExit) as error:  # a client library may raise anything
            raise item_error(error, self._name) from None
        seconds = time.perf_counter() - start
        self._on_batch(1, seconds)
        self._tracing.record_batch((waiting,), self._name, 1, seconds)
        return output
