"""Fairness between requests: each in turn gives one entry, however many it has queued."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue with a lane for each owner. Not thread-safe by itself."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Hashable, dict[int, T]] = OrderedDict()
        self._length = self._last = 0

    def __len__(self) -> int:
        return self._length

    def put(self, owner: Hashable, entry: T) -> None:
        """Append an entry to the owner's lane; a new lane comes last."""
        self._last += 1
        self._lanes.setdefault(owner, {})[self._last] = entry
        self._length += 1

    def take(self) -> T:
        """Remove and return the first entry of the owner whose turn it is; IndexError if empty."""
        if not self._length:
            raise IndexError("Nothing is queued")
        owner, lane = self._lanes.popitem(last=False)
        return self._take_from(owner, lane, next(iter(lane)))

    def take_similar(
        self, distance: Callable[[T], float], fits: Callable[[T], bool] = lambda entry: True
    ) -> Iterator[T]:
        """Remove and yield entries, owners in turn and of each the nearest first.

        Stops at the first one that does not fit. Nothing may be put meanwhile.
        """
        nearest_first: dict[Hashable, Iterator[int]] = {}
        for owner, lane in self._lanes.items():
            distances = {number: distance(entry) for number, entry in lane.items()}
            nearest_first[owner] = iter(sorted(distances, key=distances.__getitem__))
        while self._lanes:
            owner, lane = next(iter(self._lanes.items()))
            number = next(nearest_first[owner])
            if not fits(lane[number]):
                return
            del self._lanes[owner]
            yield self._take_from(owner, lane, number)

    def remove_owner(self, owner: Hashable) -> list[T]:
        """Remove and return all entries of an owner."""
        lane = self._lanes.pop(owner, {})
        self._length -= len(lane)
        return list(lane.values())

    def _take_from(self, owner: Hashable, lane: dict[int, T], number: int) -> T:
        """Remove an entry from a lane, which goes to the end of the round."""
        entry = lane.pop(number)
        if lane:
            self._lanes[owner] = lane
        self._length -= 1
        return entry


class FairPool:
    """A thread pool that works for its owners in turn. Threads start when they are needed."""

    def __init__(self, threads: int, name: str) -> None:
        self._queue: FairQueue[tuple[Future[Any], Callable[[], Any]]] = FairQueue()
        self._wake = threading.Condition()
        self._closed = False
        self._unstarted = [f"{name} {number}" for number in range(threads)]
        self._idle = 0

    def submit(self, owner: Hashable, work: Callable[[], Any]) -> "Future[Any]":
        """Queue work of an owner, and return the future of its result."""
        future: Future[Any] = Future()
        with self._wake:
            if self._closed:
                raise RuntimeError("The pool is closed")
            self._queue.put(owner, (future, work))
            if len(self._queue) > self._idle and self._unstarted:
                threading.Thread(
                    target=self._run_queued, name=self._unstarted.pop(), daemon=True
                ).start()
            self._wake.notify()
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel all work of an owner that has not begun."""
        with self._wake:
            for future, _ in self._queue.remove_owner(owner):
                future.cancel()

    def close(self) -> None:
        """Stop the threads once they have finished what they run; cancel the rest."""
        with self._wake:
            self._closed = True
            while self._queue:
                self._queue.take()[0].cancel()
            self._wake.notify_all()

    def _run_queued(self) -> None:
        while (taken := self._wait_for_work()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # raised again by the future, as with an executor
                    future.set_exception(error)
            del taken, future, work  # or they would keep tasks alive until the next one

    def _wait_for_work(self) -> "tuple[Future[Any], Callable[[], Any]] | None":
        with self._wake:
            self._idle += 1
            while not self._queue and not self._closed:
                self._wake.wait()
            self._idle -= 1
            return None if self._closed else self._queue.take()
