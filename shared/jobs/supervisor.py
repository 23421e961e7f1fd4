"""The process of a job: waits for the device, lets a child do the work, and sees to its end.

The child alone imports models and has a low priority, so this process is small, and quick to answer
while the machine is busy. It lives until the child has ended, and the child ends when it does.
"""

import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass
from types import FrameType

from shared.jobs.death import Death, count_oom_kills, describe_death
from shared.jobs.device_turn import DeviceTurn
from shared.jobs.ending import (
    DISK_IS_FULL,
    OUT_OF_MEMORY_STATUS,
    WAS_CANCELLED,
    Ending,
    keep_trying,
)
from shared.jobs.job import MAX_ATTEMPTS, Job, JobNotFoundError, JobState, format_time, now
from shared.jobs.job_folder import DISK_FULL
from shared.jobs.job_store import JobStore, has_live_process
from shared.jobs.process_name import ProcessName
from shared.machine import host_name

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Patience:
    """How long a cancelled job may take, in seconds, and how often is looked.

    `report`: until SIGTERM; `terminate`: from then to SIGKILL.
    """

    report: float = 10.0
    terminate: float = 5.0
    turn_poll: float = 0.3
    child_poll: float = 0.1


class Supervisor:
    """Takes a job from waiting to its end."""

    def __init__(self, store: JobStore, job_id: str, patience: Patience | None = None) -> None:
        self._store = store
        self._id = job_id
        self._folder = store.folder(job_id)
        self._patience = patience or Patience()
        self._name = ProcessName.of(os.getpid())
        self._was_told_to_stop = False
        self._has_job = True
        self._last_beat = 0.0

    def run(self) -> None:
        """Run the job to its end, unless another process has it."""
        signal.signal(signal.SIGTERM, self._stop)
        job = self._take()
        if job is None:
            return
        turn = DeviceTurn(self._store, job)
        if not self._wait_for(turn):
            return
        try:
            while (attempt := self._start()) is not None:
                self._attempt(attempt)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            self._end(Ending(JobState.failed, DISK_IS_FULL))
        finally:
            turn.give_back()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._was_told_to_stop = True

    def _take(self) -> Job | None:
        """Enter this process as the job's; return None if the job is not to be run here."""
        with self._store.lock():
            job = self._store.find(self._id)
            if not job.is_waiting or has_live_process(job, self._store, self._store.file_time()):
                return None
            return self._store.change(
                job, pid=os.getpid(), process=str(self._name), host=host_name()
            )

    def _wait_for(self, turn: DeviceTurn) -> bool:
        """Wait until it is the job's turn; return False if the job is not to be run any more."""
        while not self._was_told_to_stop:
            self._beat()
            try:
                job = self._store.find(self._id)
            except JobNotFoundError:  # it was removed
                return False
            if not job.is_waiting or not self._is_ours(job):
                return False
            if turn.take():
                return True
            self._say_that_it_waits(job)
            time.sleep(self._patience.turn_poll)
        return False

    def _say_that_it_waits(self, job: Job) -> None:
        message = f"it waits for other jobs on the device {job.device}"
        if job.state is JobState.waiting and job.message != message:
            with self._store.lock():
                if (job := self._store.find(self._id)).is_waiting:
                    self._store.change(job, message=message)

    def _start(self) -> Job | None:
        """Write that the job runs; return None if it is not to run any more."""
        with self._store.lock():
            job = self._store.find(self._id)
            if not job.is_waiting or self._was_told_to_stop or not self._is_ours(job):
                return None
            return self._store.change(
                job,
                state=JobState.running,
                started=format_time(now()),
                attempts=job.attempts + 1,
                progress={},
                message="",
            )

    def _attempt(self, job: Job) -> None:
        """Let a child run the job, and write its end if the child could not."""
        oom_kills = count_oom_kills()
        self._folder.clear_work()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _run_child(self._store, job, parent)
        status = self._watch(child)
        _signal_group(child, signal.SIGKILL)  # what the child has started and left
        is_out_of_memory = status == OUT_OF_MEMORY_STATUS or (
            status == -signal.SIGKILL and count_oom_kills() > oom_kills
        )
        self._conclude(job, Death(status, is_out_of_memory))

    def _watch(self, child: int) -> int:
        """Wait for the child, and end it if the job is cancelled; return its exit status."""
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            self._beat()
            if self._was_told_to_stop or not self._has_job:
                _signal_group(child, signal.SIGKILL)
            elif self._folder.is_cancelled:
                self._press(child)
            time.sleep(self._patience.child_poll)

    def _press(self, child: int) -> None:
        """End a child that was cancelled, and has not reported since."""
        waited = self._folder.seconds_since_cancel
        if waited > self._patience.report + self._patience.terminate:
            _signal_group(child, signal.SIGKILL)
        elif waited > self._patience.report:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    def _conclude(self, job: Job, death: Death) -> None:
        """Write the end of an attempt, as the child left it; or why it came to none."""
        if not self._has_job or not self._is_ours(self._store.find(self._id)):
            return
        ending = Ending.read(self._folder, job.attempts)
        if ending is None and self._folder.is_cancelled:
            ending = Ending(JobState.cancelled, WAS_CANCELLED)
        if ending is not None:
            self._end(ending)
        elif self._was_told_to_stop:
            self._interrupt("its process was told to stop", counts=False)
        elif death.was_killed and job.attempts < MAX_ATTEMPTS:
            self._interrupt(f"{death}: it is started again", counts=True)
        else:
            self._end(Ending(JobState.failed, describe_death(job, death)))

    def _end(self, ending: Ending) -> None:
        def write() -> None:
            with self._store.lock():
                if self._is_ours(job := self._store.find(self._id)):
                    self._store.end(job, ending)

        self._folder.remove_work()  # first: it may be what fills the disk
        keep_trying(write)
        self._folder.clear()

    def _interrupt(self, message: str, *, counts: bool) -> None:
        """Write that the job is to be started again; `counts` as one of its attempts."""
        with self._store.lock():
            job = self._store.find(self._id)
            attempts = job.attempts if counts else job.attempts - 1
            self._store.change(job, state=JobState.interrupted, message=message, attempts=attempts)

    def _is_ours(self, job: Job) -> bool:
        """Return whether this process has the job still: after a long silence another takes it."""
        return job.process == str(self._name)

    def _beat(self) -> None:
        """Give a sign of life now and then, and look whether the job is still here, and ours."""
        if time.monotonic() - self._last_beat < BEAT_SECONDS:
            return
        self._last_beat = time.monotonic()
        try:
            self._folder.beat()
            self._has_job = self._is_ours(self._store.find(self._id))
        except (FileNotFoundError, JobNotFoundError):
            self._has_job = False


def _run_child(store: JobStore, job: Job, parent: int) -> None:
    """Do the work in a forked child, which never returns."""
    status = 1
    try:
        # Not imported by this process itself: settings, and what their library needs.
        from shared.jobs.execution import execute

        status = execute(store, job, parent)
    except BaseException:
        logging.getLogger(__name__).exception("the end of the job could not be written")
    finally:
        os._exit(status)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
