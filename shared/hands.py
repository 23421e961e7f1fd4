"""How many requests work at a time: others would only contend for the interpreter."""

import threading
from collections import deque

EVERY = 5
"""Of so many times that a hand goes on, one goes to a bulk request."""


class Hands:
    """So many hands. Who wants one while all work gets it handed over, in the order of coming.

    Python runs one thread at a time, and who wants to run waits for all that want it too: the
    event loop would wait for each request that is under way, at each of its steps.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: dict[bool, deque[threading.Lock]] = {True: deque(), False: deque()}
        self._handed = 0

    def take(self, urgent: bool) -> None:
        """Get a hand; those that users wait for before others."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting[urgent].append(turn)
        turn.acquire()

    def give(self) -> None:
        """Give a hand back, or on to who waits for one."""
        with self._lock:
            self._handed += 1
            first = self._handed % EVERY != 0
            lane = self._waiting[first] or self._waiting[not first]
            if lane:
                lane.popleft().release()
            else:
                self._free += 1

    def pass_on(self, urgent: bool) -> None:
        """Let those work who wait for a hand, if any, before going on."""
        if self._waiting[True] or self._waiting[False]:
            self.give()
            self.take(urgent)
