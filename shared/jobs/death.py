"""How a process of a job came to its end, if it was not the function's."""

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from shared.jobs.job import Job

# Linux's counters of memory, see proc_vmstat(5).
_VMSTAT = Path("/proc/vmstat")
_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Death:
    """How a child ended that has not written the end of the job.

    `status` as `os.waitstatus_to_exitcode`: negative for a signal.
    """

    status: int
    was_out_of_memory: bool

    @property
    def was_killed(self) -> bool:
        """Whether another attempt may go better."""
        return self.status < 0 or self.was_out_of_memory

    def __str__(self) -> str:
        if self.was_out_of_memory:
            return "the memory ran out"
        if self.status < 0:
            return f"its process was killed ({signal.Signals(-self.status).name})"
        return f"its process ended with status {self.status}"


def describe_death(job: Job, death: Death) -> str:
    """Return in one sentence how a job ended whose process did."""
    if death.was_out_of_memory:
        return (
            f"the memory ran out in {job.attempts} attempts: free some, use a smaller model or"
            " smaller inputs, or a machine with more"
        )
    if death.was_killed:
        return f"{death} in {job.attempts} attempts (the log has what it said until then)"
    return f"{death} (the log has the details)"


def count_oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory, since it started."""
    try:
        found = _OOM_KILLS.search(_VMSTAT.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
