"""Fairness between requests: each in turn gives one entry, however many it has queued."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
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

    def of_owner(self, owner: Hashable) -> Iterable[T]:
        """Return the entries of an owner."""
        return self._lanes.get(owner, {}).values()

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


# A future, and what to call for its result.
Work = tuple["Future[Any]", Callable[[], Any]]


class FairPool:
    """A thread pool that works for its owners in turn, interactive work first.

    All `threads` may do interactive work, all but `kept` of them other work. Threads start when
    they are needed.
    """

    def __init__(self, threads: int, name: str, kept: int = 0) -> None:
        self._interactive: FairQueue[Work] = FairQueue()
        self._bulk: FairQueue[Work] = FairQueue()
        self._free_for_bulk = threads - kept
        self._unstarted = [f"{name} {number}" for number in range(threads)]
        self._idle = 0
        self._closed = False
        self._wake = threading.Condition()

    def submit(
        self, owner: Hashable, work: Callable[[], Any], interactive: bool = False
    ) -> "Future[Any]":
        """Queue work of an owner, and return the future of its result."""
        future: Future[Any] = Future()
        with self._wake:
            if self._closed:
                raise RuntimeError("The pool is closed")
            (self._interactive if interactive else self._bulk).put(owner, (future, work))
            if self._startable > self._idle and self._unstarted:
                name = self._unstarted.pop()
                threading.Thread(target=self._run_queued, name=name, daemon=True).start()
            elif self._startable:
                self._wake.notify()
        return future

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel all work of an owner that has not begun."""
        with self._wake:
            for queue in (self._interactive, self._bulk):
                for future, _ in queue.remove_owner(owner):
                    future.cancel()

    def close(self) -> None:
        """Stop the threads once they have finished what they run; cancel the rest."""
        with self._wake:
            self._closed = True
            for queue in (self._interactive, self._bulk):
                while queue:
                    queue.take()[0].cancel()
            self._wake.notify_all()

    @property
    def _startable(self) -> int:
        """How much could begin at once, were there threads for all."""
        return len(self._interactive) + min(len(self._bulk), self._free_for_bulk)

    def _run_queued(self) -> None:
        was_bulk = False
        while (taken := self._wait_for_work(was_bulk)) is not None:
            (future, work), was_bulk = taken
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # raised again by the future, as with an executor
                    future.set_exception(error)
            del taken, future, work  # or they would keep tasks alive until the next one

    def _wait_for_work(self, was_bulk: bool) -> tuple[Work, bool] | None:
        """Return the next work, and whether it takes a place of bulk work.

        A thread whose last work `was_bulk` gives its place back: mostly to itself, so that no other
        one wakes up for it.
        """
        with self._wake:
            self._free_for_bulk += was_bulk
            self._idle += 1
            while not self._startable and not self._closed:
                self._wake.wait()
            self._idle -= 1
            if self._closed:
                return None
            is_bulk = not self._interactive
            self._free_for_bulk -= is_bulk
            taken = (self._bulk if is_bulk else self._interactive).take()
            if self._startable and self._idle:
                self._wake.notify()
            return taken, is_bulk
