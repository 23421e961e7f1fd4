"""Works on projects again and again, whatever becomes of Label Studio meanwhile."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from shared.bulk.project_worker import ProjectWorker
from shared.errors import PrelabelError
from shared.label_studio.project import UnavailableError
from shared.pipeline.plan import PredictionPlan

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 60.0
# How often is looked whether the leases of others have run out.
SWEEP_SECONDS = 2.0
# How often is looked, while nothing is to be done, whether the work is to end.
REPORT_SECONDS = 1.0


class State(Enum):
    """What is left of a project after a pass."""

    busy = "busy"
    waiting = "waiting"  # for what other workers have
    idle = "idle"
    unavailable = "unavailable"  # Label Studio does not answer for it


PlansOf = Callable[[ProjectWorker], Sequence[PredictionPlan]]


@dataclass(eq=False)
class _Turn:
    """A project in the loop, and since when Label Studio does not answer for it."""

    worker: ProjectWorker
    backoff: float = 1.0
    not_before: float = 0.0
    failing_since: float | None = None

    def succeed(self) -> None:
        self.backoff, self.failing_since = 1.0, None

    def fail(self, patience_seconds: float) -> bool:
        """Wait before the next attempt; return whether the patience has ended."""
        now = time.monotonic()
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.not_before = now + self.backoff
        self.backoff = min(2 * self.backoff, MAX_BACKOFF_SECONDS)
        return now - self.failing_since > patience_seconds


class WorkLoop:
    """Works on several projects in turn.

    `stop` ends it after what the models have; `poll_seconds` are between two looks at a project of
    which all tasks are predicted. `patience_seconds` is how long a Label Studio that does not
    answer is waited for. `given_up` are the workers whose projects were lost.
    """

    def __init__(
        self,
        workers: Sequence[ProjectWorker],
        plans_of: PlansOf,
        stop: threading.Event,
        poll_seconds: float,
        patience_seconds: float = math.inf,
    ) -> None:
        self._turns = [_Turn(worker) for worker in workers]
        self._plans_of = plans_of
        self._stop = stop
        self._poll_seconds = poll_seconds
        self._patience_seconds = patience_seconds
        self.given_up: list[ProjectWorker] = []

    def run(self, once: bool = False) -> None:
        """Work until stopped; `once`: until nothing is left, also of workers that were killed.

        A project that cannot be worked on any more costs only itself; PrelabelError if none is
        left.
        """
        while not self._stop.is_set():
            found = {self._work_on(turn) for turn in list(self._turns)}
            if State.busy in found:
                continue
            if once and found <= {State.idle}:
                return
            self._pause(self._pause_seconds(found))

    def _work_on(self, turn: _Turn) -> State:
        """Work on a project for one pass; return whether there is more to do."""
        if time.monotonic() < turn.not_before:
            return State.unavailable
        worker = turn.worker
        try:
            is_busy = worker.run_pass(self._plans_of(worker))
            others = 0 if is_busy else worker.leases.sweep()
        except UnavailableError as error:
            return self._postpone(turn, error)
        except PrelabelError as error:
            return self._give_up(turn, error)
        turn.succeed()
        if is_busy:
            return State.busy
        return State.waiting if others or worker.is_waiting else State.idle

    def _postpone(self, turn: _Turn, error: UnavailableError) -> State:
        seconds = turn.backoff
        if turn.fail(self._patience_seconds):
            given_up = UnavailableError(
                f"{error}; it was given up after {_describe_seconds(self._patience_seconds)}. What"
                " was predicted until then is stored: start it again once Label Studio answers"
            )
            return self._give_up(turn, given_up)
        logger.warning("%s; trying again in %g s", error, seconds)
        return State.unavailable

    def _give_up(self, turn: _Turn, error: PrelabelError) -> State:
        self._turns.remove(turn)
        self.given_up.append(turn.worker)
        if not self._turns:
            raise error
        logger.error("%s is not worked on any more: %s", turn.worker.project.name, error)
        return State.idle

    def _pause_seconds(self, found: set[State]) -> float:
        """Return how long there is nothing to do."""
        now = time.monotonic()
        due = [turn.not_before - now for turn in self._turns if turn.failing_since is not None]
        if found - {State.unavailable}:
            due.append(self._poll_seconds)
        if State.waiting in found:
            due.append(SWEEP_SECONDS)
        return min(due, default=0.0)

    def _pause(self, seconds: float) -> None:
        """Wait; a worker whose work is to end says so by what its `report` raises."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.wait(
            min(left, REPORT_SECONDS)
        ):
            for turn in self._turns:
                turn.worker.report()


def _describe_seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} minutes"
