"""How long a request may run, and when it may run Python code."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from shared.errors import ClientGoneError, DeadlineError, PrelabelError

T = TypeVar("T")

NO_DEADLINE = float("inf")
DEADLINE_MESSAGE = "The deadline came before this task was done; ask again to go on"
# Every so many releases a slot goes to a bulk request, so that interactive ones do not starve it.
BULK_EVERY_N_RELEASES = 5


class RequestScope:
    """Ends when a request does: at its deadline, when its client disconnects, or on shutdown.

    `interactive` requests come from a user who waits at the editor. With `slots`, the request
    holds one while it runs and gives it back while it waits. A request that is over waits for no
    slot: all that is left is to report it.
    """

    def __init__(self, seconds: float = NO_DEADLINE, interactive: bool = False) -> None:
        self.interactive = interactive
        self.slots: PrioritySemaphore | None = None
        self._depth = 0
        self._has_slot = False
        self._deadline = time.monotonic() + seconds
        self._ended: Future[PrelabelError] = Future()

    @property
    def is_disconnected(self) -> bool:
        """Whether nobody is left to read an answer."""
        return self._ended.done() and isinstance(self._ended.result(), ClientGoneError)

    def seconds_left(self) -> float:
        """Return the seconds until the deadline; 0 when the request is over."""
        return 0.0 if self._ended.done() else max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def hold_slot(self) -> Iterator[None]:
        """Hold a slot inside the block; nested blocks hold the same one.

        The block must not be inside a generator, which would keep the slot while it is suspended.
        """
        self._depth += 1
        if self._depth == 1:
            self._acquire_slot()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._release_slot()

    def yield_slot(self) -> None:
        """Let others run, between two tasks."""
        if self._has_slot and self.slots is not None:
            self._has_slot = self.slots.yield_turn(self.interactive, self)

    def disconnect(self) -> None:
        """End the request because its client has closed the connection."""
        self.cancel(ClientGoneError("The client closed the connection"))

    def cancel(self, error: PrelabelError) -> None:
        """End the request, whatever its thread is waiting for. Only the first error counts."""
        with suppress(InvalidStateError):
            self._ended.set_result(error)
        if self.slots is not None:
            self.slots.wake(self)

    def raise_if_over(self) -> None:
        """Raise DeadlineError or ClientGoneError if the request is over."""
        if not self.seconds_left():
            raise self._error()

    def wait_for(self, future: "Future[T]") -> T:
        """Return a future's result; DeadlineError or ClientGoneError if it comes too late."""
        if not future.done():
            timeout = None if self._deadline == NO_DEADLINE else self.seconds_left()
            either: list[Future[Any]] = [future, self._ended]
            with self._without_slot():
                wait(either, timeout, FIRST_COMPLETED)
            if not future.done():
                raise self._error()
        return future.result()

    def pause(self, seconds: float) -> None:
        """Wait without a slot; DeadlineError or ClientGoneError if the request is over."""
        with self._without_slot():
            wait([self._ended], min(seconds, self.seconds_left()))
        self.raise_if_over()

    @contextmanager
    def _without_slot(self) -> Iterator[None]:
        self._release_slot()
        try:
            yield
        finally:
            if self._depth:
                self._acquire_slot()

    def _acquire_slot(self) -> None:
        self._has_slot = self.slots is not None and self.slots.acquire(self.interactive, self)

    def _release_slot(self) -> None:
        if self._has_slot and self.slots is not None:
            self._has_slot = False
            self.slots.release()

    def _error(self) -> PrelabelError:
        return self._ended.result() if self._ended.done() else DeadlineError(DEADLINE_MESSAGE)


class Waiter(Protocol):
    """Waits for a slot no longer than `seconds_left`, which may become 0 at any time."""

    def seconds_left(self) -> float:
        """Return seconds; infinite without a limit."""


class PrioritySemaphore:
    """Limits how many requests run Python code at once; interactive ones go first.

    Without the limit every running request competes with the event loop for the GIL, and health
    checks are answered late. Requests that only wait for a model hold no slot.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._lock = threading.Lock()
        self._queues: dict[bool, deque[_QueuedWaiter]] = {True: deque(), False: deque()}
        self._releases = 0

    def acquire(self, interactive: bool, waiter: Waiter | None = None) -> bool:
        """Get a slot, in FIFO order; return False if the waiter's time is over before."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            # Read under the lock: a `wake` that comes later finds the waiter in its queue.
            seconds = math.inf if waiter is None else waiter.seconds_left()
            if not seconds:
                return False
            queued = _QueuedWaiter(waiter)
            self._queues[interactive].append(queued)
        queued.wait(seconds)
        with self._lock:
            if not queued.has_slot:
                self._queues[interactive].remove(queued)
            return queued.has_slot

    def release(self) -> None:
        """Give a slot back: it is handed to the next in line, if there is one.

        Handing it over instead of freeing it keeps a thread that comes late from taking it first.
        """
        with self._lock:
            self._releases += 1
            first = self._releases % BULK_EVERY_N_RELEASES != 0
            queue = self._queues[first] or self._queues[not first]
            if queue:
                queued = queue.popleft()
                queued.has_slot = True
                queued.wake()
            else:
                self._free += 1

    def yield_turn(self, interactive: bool, waiter: Waiter | None = None) -> bool:
        """Let those run who wait for a slot; return whether there is a slot to go on with."""
        if not self._queues[True] and not self._queues[False]:
            return True
        self.release()
        return self.acquire(interactive, waiter)

    def wake(self, waiter: Waiter) -> None:
        """Stop the waiting of a waiter whose time is over: `acquire` returns False."""
        with self._lock:
            for queued in (*self._queues[True], *self._queues[False]):
                if queued.waiter is waiter:
                    queued.wake()


class _QueuedWaiter:
    """A place in the queue for a slot."""

    def __init__(self, waiter: Waiter | None) -> None:
        self.waiter = waiter
        self.has_slot = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float) -> None:
        self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is awake already
            self._lock.release()
