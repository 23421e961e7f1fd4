"""Taking turns: what requests have queued is taken from each in turn, however much each has."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue with a lane for each owner. Not for several threads by itself."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Hashable, dict[int, T]] = OrderedDict()
        self._length = self._last = 0

    def __len__(self) -> int:
        return self._length

    def put(self, owner: Hashable, entry: T) -> None:
        """Behind what the owner has there; an owner without any comes last."""
        self._last += 1
        self._lanes.setdefault(owner, {})[self._last] = entry
        self._length += 1

    def take(self) -> T:
        """The first entry of the owner whose turn it is; IndexError if there is none."""
        if not self._length:
            raise IndexError("Nothing is queued")
        owner, lane = self._lanes.popitem(last=False)
        return self._take_from(owner, lane, next(iter(lane)))

    def take_similar(
        self, distance: Callable[[T], float], fits: Callable[[T], bool] = lambda entry: True
    ) -> Iterator[T]:
        """Entries, taken one by one: owners in turn, and of each the nearest ones first, until
        one does not fit, which is left. Nothing may be put meanwhile.
        """
        near: dict[Hashable, Iterator[int]] = {}
        for owner, lane in self._lanes.items():
            distances = {number: distance(entry) for number, entry in lane.items()}
            near[owner] = iter(sorted(distances, key=distances.__getitem__))
        while self._lanes:
            owner, lane = next(iter(self._lanes.items()))
            number = next(near[owner])
            if not fits(lane[number]):
                return
            del self._lanes[owner]
            yield self._take_from(owner, lane, number)

    def remove_owner(self, owner: Hashable) -> list[T]:
        """Take out all of an owner's entries."""
        lane = self._lanes.pop(owner, {})
        self._length -= len(lane)
        return list(lane.values())

    def _take_from(self, owner: Hashable, lane: dict[int, T], number: int) -> T:
        """An entry out of the lane, which goes behind the others."""
        entry = lane.pop(number)
        if lane:
            self._lanes[owner] = lane
        self._length -= 1
        return entry


class FairPool:
    """Threads that work for several owners in turn."""

    def __init__(self, threads: int, name: str) -> None:
        self._turns: FairQueue[tuple[Future[Any], Callable[[], Any]]] = FairQueue()
        self._wake = threading.Condition()
        self._closed = False
        self._names = [f"{name} {number}" for number in range(threads)]
        self._idle = 0

    def submit(self, owner: Hashable, work: Callable[[], Any]) -> "Future[Any]":
        """Queue work of an owner."""
        future: Future[Any] = Future()
        with self._wake:
            if self._closed:
                raise RuntimeError("The pool is closed")
            self._turns.put(owner, (future, work))
            if len(self._turns) > self._idle and self._names:
                threading.Thread(target=self._work, name=self._names.pop(), daemon=True).start()
            self._wake.notify()
        return future

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel what an owner has queued."""
        with self._wake:
            for future, _ in self._turns.remove_owner(owner):
                future.cancel()

    def close(self) -> None:
        """Finish what runs, cancel the rest."""
        with self._wake:
            self._closed = True
            while self._turns:
                self._turns.take()[0].cancel()
            self._wake.notify_all()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # as an executor: whoever waits for it gets it
                    future.set_exception(error)
            del taken, future, work  # or what they hold would live on until the next one

    def _next(self) -> "tuple[Future[Any], Callable[[], Any]] | None":
        with self._wake:
            self._idle += 1
            while not self._turns and not self._closed:
                self._wake.wait()
            self._idle -= 1
            return None if self._closed else self._turns.take()
