"""Which process has taken a job, on whichever machine, and whether it still lives."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.machine import host_name, machine_name

# The job's id, in the environment of its process and of all that it starts.
JOB_VARIABLE = "PRELABEL_JOB"
_PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class ProcessName:
    """A process's name among all of all machines, past and present.

    `machine` is one boot of one machine, containers included; `place` is where process ids mean the
    same: the machine, and the container. `start` is when the process began, in a unit that setting
    the clock does not change: ids are used again.
    """

    machine: str
    place: str
    start: str

    @classmethod
    def of(cls, pid: int) -> "ProcessName | None":
        """Return the name of a process here; None if there is none, or only what is left of one."""
        start = _start(pid)
        return None if start is None else cls(machine_name(), _place(), start)

    @classmethod
    def parse(cls, text: str) -> "ProcessName | None":
        """Return the name that `str` wrote; None for another text."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == 3 else None

    def __str__(self) -> str:
        return f"{self.machine}/{self.place}/{self.start}"

    @property
    def is_here(self) -> bool:
        """Whether its process id means the same here."""
        return (self.machine, self.place) == (machine_name(), _place())


def kill_leftovers(job_id: str) -> int:
    """Kill what a job's dead process has started and left, by the job's id in its environment."""
    killed = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get(JOB_VARIABLE) == job_id and process.pid != os.getpid():
                process.send_signal(signal.SIGKILL)
                killed += 1
        except psutil.Error:  # ended meanwhile, or another user's
            continue
    return killed


def wait_until_dead(pid: int, seconds: float) -> bool:
    """Wait for a process here; return whether it has ended in time."""
    deadline = time.monotonic() + seconds
    while _start(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _place() -> str:
    try:
        inode = os.stat(_PID_NAMESPACE).st_ino
    except OSError:  # not Linux
        inode = 0
    return f"{host_name()}-{inode}".replace("/", "-")


def _start(pid: int) -> str | None:
    """Return when a living process began: on Linux in ticks since boot, see proc_pid_stat(5)."""
    try:
        # The name in brackets may hold brackets and blanks itself; the state follows it.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if psutil.LINUX else _start_elsewhere(pid)
    return None if fields[0] in "ZX" else fields[19]


def _start_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        is_dead = process.status() == psutil.STATUS_ZOMBIE
        return None if is_dead else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
