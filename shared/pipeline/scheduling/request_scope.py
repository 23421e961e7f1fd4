"""How long a request waits for its tasks, and what ends its patience."""

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from shared.errors import ClientGoneError, DeadlineError, PrelabelError
from shared.pipeline.scheduling.priority_semaphore import PrioritySemaphore

T = TypeVar("T")

NO_DEADLINE = float("inf")
DEADLINE_MESSAGE = "The deadline came before this task was done; ask again to go on"


class RequestScope:
    """One request's: until its deadline, until its client is gone, or until the server stops.

    `urgent`: a user waits before the editor. `hands`: the request works with one of them, and
    gives it back while it waits. Once its time is over it waits for no hand any more: what is
    left to do is to say so.
    """

    def __init__(self, seconds: float = NO_DEADLINE, interactive: bool = False) -> None:
        self.interactive = interactive
        self.slots: PrioritySemaphore | None = None
        self._working = 0
        self._holds = False
        self._until = time.monotonic() + seconds
        self._ended: Future[PrelabelError] = Future()

    @property
    def is_disconnected(self) -> bool:
        """Whether nobody is there any more to read an answer."""
        return self._ended.done() and isinstance(self._ended.result(), ClientGoneError)

    def seconds_left(self) -> float:
        """Seconds; 0 when it is over."""
        return 0.0 if self._ended.done() else max(0.0, self._until - time.monotonic())

    @contextmanager
    def hold_slot(self) -> Iterator[None]:
        """With a hand while in the block, and no more than one for a block in a block.

        The block must not be in a generator, which would keep the hand while nobody runs it.
        """
        self._working += 1
        if self._working == 1:
            self._take()
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._give()

    @contextmanager
    def _without_slot(self) -> Iterator[None]:
        """Without a hand while in the block."""
        self._give()
        try:
            yield
        finally:
            if self._working:
                self._take()

    def _take(self) -> None:
        self._holds = self.slots is not None and self.slots.acquire(self.interactive, self)

    def _give(self) -> None:
        if self._holds and self.slots is not None:
            self._holds = False
            self.slots.release()

    def yield_slot(self) -> None:
        """Between two tasks: let others work."""
        if self._holds and self.slots is not None:
            self._holds = self.slots.yield_turn(self.interactive, self)

    def disconnect(self) -> None:
        """The client is gone: nothing more is done for it."""
        self.cancel(ClientGoneError("The client closed the connection"))

    def cancel(self, error: PrelabelError) -> None:
        """Stop waiting, in whatever thread that goes on; what ended it first is what is told."""
        with suppress(InvalidStateError):
            self._ended.set_result(error)
        if self.slots is not None:
            self.slots.hurry(self)

    def raise_if_over(self) -> None:
        """DeadlineError or ClientGoneError if it is over."""
        if not self.seconds_left():
            raise self._error()

    def wait_for(self, future: "Future[T]") -> T:
        """What comes of a future; DeadlineError or ClientGoneError if it does not come in time."""
        if not future.done():
            timeout = None if self._until == NO_DEADLINE else self.seconds_left()
            either: list[Future[Any]] = [future, self._ended]
            with self._without_slot():
                wait(either, timeout, FIRST_COMPLETED)
            if not future.done():
                raise self._error()
        return future.result()

    def _error(self) -> PrelabelError:
        return self._ended.result() if self._ended.done() else DeadlineError(DEADLINE_MESSAGE)
