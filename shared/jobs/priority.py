"""A job leaves the processor, the disk and the memory to the server."""

import time
from pathlib import Path

import psutil

# The kernel ends processes with a high score first when memory runs out.
OUT_OF_MEMORY_SCORE = 500
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment that bounds the threads of numeric libraries."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def lower_priority(niceness: int) -> None:
    """Give this process and those it starts a low priority. It is to lead a session alone.

    With a niceness of 10 a tenth of a core is left to it beside a process that is always busy.
    Niceness counts only among the processes of a session where Linux groups them by session
    (sched_autogroup, see sched(7)): there the group's own niceness is set as well.
    """
    process = psutil.Process()
    process.nice(max(niceness, process.nice()))
    if hasattr(process, "ionice") and psutil.LINUX:
        process.ionice(psutil.IOPRIO_CLASS_IDLE)
    _write_if_possible(Path("/proc/self/autogroup"), niceness)
    _write_if_possible(Path("/proc/self/oom_score_adj"), OUT_OF_MEMORY_SCORE)


def _write_if_possible(file: Path, value: int) -> None:
    """Write a value for the kernel; where it does not have it, niceness has to do."""
    for _ in range(3):
        try:
            file.write_text(str(value))
        except BlockingIOError:  # autogroup: another process's was set within 0.1 s
            time.sleep(0.15)
        except OSError:
            return
        else:
            return
