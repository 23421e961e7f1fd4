"""What is known of a job, and what can be wrong with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, ClassVar

from shared.errors import PrelabelError

# A job is started so often at most: once, and once more after its process was killed.
MAX_ATTEMPTS = 2


class JobError(PrelabelError):
    """A job cannot be created, or cannot go on; the message says why and what helps."""

    reason = "job"


class JobNotFoundError(JobError):
    """There is no job with this id; the message names those that there are."""

    status = 404


class JobCancelledError(JobError):
    """The job was cancelled: its function is to let this pass."""


class JobState(str, Enum):
    """Where a job stands."""

    waiting = "waiting"  # for its device
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"
    interrupted = "interrupted"  # its process was killed; it waits to be started again


FINISHED_STATES = frozenset({JobState.done, JobState.failed, JobState.cancelled})
WAITING_STATES = frozenset({JobState.waiting, JobState.interrupted})


@dataclass(frozen=True)
class Job:
    """A call of a function in a process of its own.

    - `id`: when it was created, so that ids are in order of creation: 20261128-184645-123456 (UTC)
    - `kind`, `key`: what it is about, such as "training" and a project; one job of both waits at
      most, and one runs
    - `function`: `package.module:name`, called with a JobContext; `arguments` are JSON
    - `device`: what it has for itself while it runs ("cpu", "cuda:0")
    - `queue`: the RQ queue whose workers run it; empty: the machine that it was created on
    - `created`, `started`, `finished`: ISO 8601, UTC; empty if that is still to come
    - `pid`, `host`: the process that has taken it, and leads a session of its own; `process`
      tells it from a later process with the same id (see `ProcessName`)
    - `attempts`: how often it was started
    - `progress`: what the function reported last
    - `message`: one sentence: why it waits, what it does, or how it ended
    - `result`: what the function returned
    """

    id: str
    kind: str
    key: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    queue: str = ""
    state: JobState = JobState.waiting
    created: str = ""
    submitted: float = 0.0
    started: str = ""
    finished: str = ""
    pid: int | None = None
    host: str = ""
    process: str = ""
    attempts: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    result: Mapping[str, Any] | None = None

    # What only the store and the process of the job need.
    INTERNAL: ClassVar[tuple[str, ...]] = ("submitted", "process")

    @property
    def is_finished(self) -> bool:
        """Whether it has come to an end, whichever."""
        return self.state in FINISHED_STATES

    @property
    def is_waiting(self) -> bool:
        """Whether it is still to be started, for the first time or again."""
        return self.state in WAITING_STATES

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has been running; None if it never did."""
        if not self.started:
            return None
        end = parse_time(self.finished) if self.finished else now()
        return max((end - parse_time(self.started)).total_seconds(), 0.0)

    @property
    def remaining_seconds(self) -> float | None:
        """How long it will go on, by what it reported: `remaining_seconds` or `fraction`."""
        if self.state is not JobState.running:
            return None
        remaining, fraction = (self.progress.get(n) for n in ("remaining_seconds", "fraction"))
        if isinstance(remaining, int | float):
            return max(float(remaining), 0.0)
        if not isinstance(fraction, int | float) or not 0 < fraction <= 1:
            return None
        return (self.seconds or 0.0) / fraction * (1 - fraction)

    def to_json(self) -> dict[str, Any]:
        """Return the job as an answer of the server has it: what is not known yet is left out."""
        known = {
            name: value
            for name, value in asdict(self).items()
            if value not in ("", None) and name not in self.INTERNAL
        }
        known["state"] = self.state.value
        extra = {"seconds": self.seconds, "remaining_seconds": self.remaining_seconds}
        return known | {name: round(v, 1) for name, v in extra.items() if v is not None}


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)


def format_time(time: datetime) -> str:
    """Return a time as jobs have it: 2026-11-28T18:46:45.123+00:00."""
    return time.isoformat(timespec="milliseconds")


def parse_time(text: str) -> datetime:
    """Return the time that `format_time` wrote."""
    return datetime.fromisoformat(text)
