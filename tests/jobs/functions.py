"""Functions that the jobs of the tests run."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from shared.errors import PrelabelError
from shared.jobs.context import JobContext


def count(context: JobContext) -> Mapping[str, Any]:
    """Report `steps` steps of `seconds` each, and write each attempt into the file `trace`."""
    trace = context.arguments.get("trace")
    if trace:
        with Path(trace).open("a") as file:
            file.write(f"{context.job.id} {time.monotonic()} start\n")
    steps = context.arguments.get("steps", 3)
    for step in range(steps):
        context.report(epoch=step + 1, epochs=steps, fraction=(step + 1) / steps)
        time.sleep(context.arguments.get("seconds", 0.01))
    if trace:
        with Path(trace).open("a") as file:
            file.write(f"{context.job.id} {time.monotonic()} end\n")
    return {"steps": steps, "attempt": context.job.attempts}


def sleep_for_ever(context: JobContext) -> Mapping[str, Any]:
    """Never report; `deaf` also to SIGTERM. Leave a file behind when ended in order."""
    if context.arguments.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (context.folder.parent / "asleep").touch()
    try:
        time.sleep(1000)
    finally:
        (context.folder.parent / "cleaned").touch()
    return {}


def kill_itself(context: JobContext) -> Mapping[str, Any]:
    """End by a signal in the first `times` attempts."""
    if context.job.attempts <= context.arguments.get("times", 1):
        os.kill(os.getpid(), context.arguments.get("signal", signal.SIGKILL))
        time.sleep(10)
    return {"attempt": context.job.attempts}


def run_out_of_memory(context: JobContext) -> Mapping[str, Any]:
    """Ask for more memory than there can be in the first `times` attempts."""
    if context.job.attempts <= context.arguments["times"]:
        bytearray(1 << 62)
    return {"attempt": context.job.attempts}


def be_killed_for_memory(context: JobContext) -> Mapping[str, Any]:
    """End as the kernel ends who uses too much memory: counted in `vmstat`, by SIGKILL."""
    vmstat = Path(context.arguments["vmstat"])
    count = int(vmstat.read_text().split()[-1])
    vmstat.write_text(f"nr_free_pages 1000\noom_kill {count + 1}\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def fail(context: JobContext) -> Mapping[str, Any]:
    """Fail as `how` says."""
    how = context.arguments["how"]
    if how == "sentence":
        raise PrelabelError("there are no annotations: annotate some tasks first")
    if how == "bug":
        raise KeyError("secret detail of our code")
    if how == "exit":
        sys.exit(3)
    if how == "end":
        os._exit(4)
    if how == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return ["no mapping"]  # type: ignore[return-value]


def describe_process(context: JobContext) -> Mapping[str, Any]:
    """Return what the process of the job is like."""
    process = psutil.Process()
    autogroup = Path("/proc/self/autogroup")
    return {
        "nice": process.nice(),
        "ionice": int(process.ionice().ioclass) if psutil.LINUX else None,
        "autogroup": autogroup.read_text() if autogroup.exists() else "",
        "session": os.getsid(0),
        "threads": os.environ["OMP_NUM_THREADS"],
        "max_media_mb": context.settings.max_media_mb,
        "basic_auth_pass": bool(context.settings.basic_auth_pass),
        "train_dir": str(context.settings.train_dir),
        "folder": sorted(path.name for path in context.folder.iterdir()),
    }


def tell_secrets(context: JobContext) -> Mapping[str, Any]:
    """Say the token wherever a job can say something."""
    token = os.environ["LABEL_STUDIO_API_KEY"]
    print(f"printed {token}")  # noqa: T201
    sys.stderr.write(f"half {token[:8]}")
    sys.stderr.write(f"{token[8:]}\n")
    logging.getLogger("library").warning("logged %s", token)
    context.report(token=token)
    context.say(f"said {token}, {os.environ['QUEUE_ADDRESS_URL']}")
    time.sleep(context.arguments.get("seconds", 0))
    if context.arguments.get("fails"):
        raise PrelabelError(f"failed with {token}")
    return {"token": token}


def leave_process(context: JobContext) -> Mapping[str, Any]:
    """Start a process that outlives its parent, and then work."""
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True
    )
    (context.folder.parent / "left").write_text(str(left.pid))
    time.sleep(1000)
    return {}


def fill_disk(context: JobContext) -> Mapping[str, Any]:
    """Report progress on a disk that is full, print much, and come to a result."""
    with (context.folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
        context.report(epoch=1)
        time.sleep(0.3)
        context.report(epoch=2)
        print("x" * 100_000)  # noqa: T201
    return {"weights": "kept"}


def fill_disk_and_fail(context: JobContext) -> Mapping[str, Any]:
    """Write until the disk is full."""
    with (context.folder / "ballast").open("wb") as file:
        while True:
            file.write(b"\0" * 65536)


def compute(context: JobContext) -> Mapping[str, Any]:
    """Use the processor for `seconds` of the clock; return the seconds that were got of it."""
    end = time.monotonic() + context.arguments["seconds"]
    begun = time.process_time()
    (context.folder.parent / "begun").touch()
    while time.monotonic() < end:
        pass
    return {"cpu_seconds": time.process_time() - begun}
