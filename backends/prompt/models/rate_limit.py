"""Limits of what a server is asked: requests and tokens a minute, tokens a day."""

import threading
import time
from collections.abc import Callable

SECONDS_PER_MINUTE = 60.0


class MinuteLimit:
    """Spreads costs over time, so that those of no minute are above the limit.

    What was not used for a while may be used at once: a second's worth, or the largest cost so far.
    Whoever comes first goes first. A limit of 0 is none.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._burst = self._level = max(limit / SECONDS_PER_MINUTE, 1.0)
        self._updated = clock()
        self._lock = threading.Lock()

    def reserve(self, cost: float) -> float:
        """Take a cost, and return for how many seconds the caller has to wait before it begins."""
        if not self._limit:
            return 0.0
        with self._lock:
            self._refill()
            if cost > self._burst:
                self._level += cost - self._burst
                self._burst = cost
            self._level -= cost
            return max(0.0, -self._level / self._rate)

    def correct(self, difference: float) -> None:
        """Take what a cost turned out to be above what was reserved; negative: give it back."""
        if self._limit:
            with self._lock:
                self._level -= difference

    @property
    def _rate(self) -> float:
        """Cost a second. With the burst, a minute's costs come to the limit."""
        return max(self._limit - self._burst + 1, self._limit / 2) / SECONDS_PER_MINUTE

    def _refill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._updated) * self._rate)
        self._updated = now


class RequestLimits:
    """The limits of one server and model: all of its requests pass through here.

    `requests` and `tokens` are those a minute; 0 is no limit. `sleep` is how a thread waits.
    """

    def __init__(
        self,
        requests: float = 0,
        tokens: float = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._requests = MinuteLimit(requests)
        self._tokens = MinuteLimit(tokens)
        self._closed_until = 0.0

    def wait(self, tokens: float) -> None:
        """Wait until a request that takes about so many tokens may be sent."""
        seconds = max(self._requests.reserve(1), self._tokens.reserve(tokens))
        if seconds:
            self._sleep(seconds)
        while (seconds := self._closed_until - time.monotonic()) > 0:
            self._sleep(seconds)

    def correct_tokens(self, difference: float) -> None:
        """Take what a request used above what it reserved."""
        self._tokens.correct(difference)

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the server has asked for it."""
        self._closed_until = max(self._closed_until, time.monotonic() + seconds)
