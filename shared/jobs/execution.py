"""Calls the function of a job, in a process made for it, and writes how it ended."""

import faulthandler
import importlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from shared.errors import truncate
from shared.jobs.context import JobContext, describe_failure
from shared.jobs.ending import OUT_OF_MEMORY_STATUS, WAS_CANCELLED, Ending
from shared.jobs.job import Job, JobCancelledError, JobError, JobState
from shared.jobs.job_folder import JobFolder
from shared.jobs.job_store import JobStore
from shared.jobs.log_stream import Redactor, log_to_stderr
from shared.jobs.parent_process import end_with
from shared.jobs.priority import lower_priority
from shared.settings import restrain_libraries

logger = logging.getLogger(__name__)

_MAX_MESSAGE = 2000


def execute(store: JobStore, job: Job, parent: int) -> int:
    """Run an attempt of a job to its end in this process; return the exit status.

    0 means that the end is written; `parent` is the process with which this one ends.
    """
    if not end_with(parent, signal.SIGKILL):
        os._exit(1)
    os.setsid()
    folder = store.folder(job.id)
    _end_on_sigterm(folder)
    redactor = Redactor.of_environment()
    stream = log_to_stderr(redactor, "INFO")
    faulthandler.enable(stream.fileno())  # where a crash of a library came from
    context = JobContext(job, folder, redactor)
    try:
        ending = _call(context, folder)
    except MemoryError:
        logger.exception("attempt %d of job %s ran out of memory", job.attempts, job.id)
        return OUT_OF_MEMORY_STATUS
    finally:
        stream.close()
    message = redactor.redact(truncate(ending.message, _MAX_MESSAGE))
    result = redactor.redact_json(ending.result)
    Ending(ending.state, message, context.progress, result).write(folder, job.attempts)
    return 0


def _call(context: JobContext, folder: JobFolder) -> Ending:
    """Call the function, and return how it ended."""
    try:
        lower_priority(context.settings.train_niceness)
        logging.getLogger().setLevel(context.settings.log_level)
        restrain_libraries()
        result = _import_function(context.job.function)(context)
        if not isinstance(result, Mapping):
            raise JobError(f"{context.job.function} returned no mapping")
        return Ending(JobState.done, context.message, result=result)
    except MemoryError:
        raise
    except JobCancelledError:
        return Ending(JobState.cancelled, WAS_CANCELLED)
    except (Exception, SystemExit) as error:  # the border: whatever it is ends the job, and only it
        if folder.is_cancelled:
            return Ending(JobState.cancelled, WAS_CANCELLED)
        logger.exception("job %s failed", context.job.id)
        return Ending(JobState.failed, describe_failure(error))


def _import_function(name: str) -> Callable[[JobContext], Mapping[str, Any]]:
    module, _, attribute = name.partition(":")
    try:
        found: Callable[[JobContext], Mapping[str, Any]] = getattr(
            importlib.import_module(module), attribute
        )
    except (ImportError, AttributeError, ValueError) as error:
        raise JobError(f"the job's function {name} cannot be imported: {error}") from error
    return found


def _end_on_sigterm(folder: JobFolder) -> None:
    """Let SIGTERM raise JobCancelledError if the job was cancelled, so that `finally` is kept."""

    def end(number: int, frame: FrameType | None) -> None:
        if folder.is_cancelled:
            raise JobCancelledError("cancelled")
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, end)
