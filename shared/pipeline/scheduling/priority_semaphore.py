"""How many requests work at a time: others would only contend for the interpreter."""

import math
import threading
from collections import deque
from contextlib import suppress
from typing import Protocol

# Of so many times that a hand goes on, one goes to a bulk request.
BULK_EVERY_N_RELEASES = 5


class Patient(Protocol):
    """Who waits no longer than for so many seconds, which may become 0 at any time."""

    def seconds_left(self) -> float:
        """Seconds; infinite without a limit."""


class PrioritySemaphore:
    """So many hands. Who wants one while all work gets it handed over, in the order of coming.

    Python runs one thread at a time, and who wants to run waits for all that want it too: the
    event loop would wait for each request that is under way, at each of its steps.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: dict[bool, deque[_Turn]] = {True: deque(), False: deque()}
        self._handed = 0

    def acquire(self, interactive: bool, who: Patient | None = None) -> bool:
        """Get a hand; those that users wait for before others. False if it did not come in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            seconds = math.inf if who is None else who.seconds_left()  # under the lock: see `hurry`
            if not seconds:
                return False
            turn = _Turn(who)
            self._waiting[interactive].append(turn)
        turn.wait(seconds)
        with self._lock:
            if not turn.handed:
                self._waiting[interactive].remove(turn)
            return turn.handed

    def hurry(self, who: Patient) -> None:
        """Let somebody who has no time left any more go on without a hand."""
        with self._lock:
            for turn in (*self._waiting[True], *self._waiting[False]):
                if turn.who is who:
                    turn.wake()

    def release(self) -> None:
        """Give a hand back, or on to who waits for one."""
        with self._lock:
            self._handed += 1
            first = self._handed % BULK_EVERY_N_RELEASES != 0
            lane = self._waiting[first] or self._waiting[not first]
            if lane:
                turn = lane.popleft()
                turn.handed = True
                turn.wake()
            else:
                self._free += 1

    def yield_turn(self, interactive: bool, who: Patient | None = None) -> bool:
        """Let those work who wait for a hand, if any; whether there is a hand to go on with."""
        if not self._waiting[True] and not self._waiting[False]:
            return True
        self.release()
        return self.acquire(interactive, who)


class _Turn:
    """Somebody's place in the queue."""

    def __init__(self, who: Patient | None) -> None:
        self.who = who
        self.handed = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float) -> None:
        self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def wake(self) -> None:
        with suppress(RuntimeError):  # it was woken before
            self._lock.release()
