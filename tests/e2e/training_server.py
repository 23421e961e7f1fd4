"""A server that can be killed and started again, and what it does to users while it trains."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx
import psutil

from tests.serving import Served, free_port

JOB_MODULE = "shared.jobs.worker"
# Between two requests of the user who waits for each prediction.
USER_PAUSE_SECONDS = 0.05
PROBE_PAUSE_SECONDS = 0.02


@dataclass
class RestartableServer:
    """`prelabel serve` at one address, whichever process answers there."""

    names: Sequence[str]
    log: Path
    variables: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until its models are loaded."""
        command = [sys.executable, "-m", "shared.cli", "serve", *self.names]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | dict(self.variables)
            )
        Served(self.process, self.url, self.log).wait("/ready", 300)

    def own_processes(self) -> list[psutil.Process]:
        """Return its processes, without those of jobs."""
        assert self.process is not None
        whole = psutil.Process(self.process.pid)
        return [one for one in (whole, *whole.children(recursive=True)) if not is_job(one)]

    def kill(self) -> None:
        """End it as the kernel does where memory lacks."""
        assert self.process is not None
        for one in self.own_processes():
            one.kill()
        self.process.wait(30)

    def stop(self) -> None:
        """End it as a user does."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def memory_mb(self) -> float:
        """Return the memory of its processes that is not shared with others."""
        return sum(one.memory_full_info().uss for one in self.own_processes()) / 1e6


def is_job(process: psutil.Process) -> bool:
    """Whether a process is that of a job, or one that such a one has started."""
    try:
        return any(JOB_MODULE in " ".join(one.cmdline()) for one in (process, *process.parents()))
    except psutil.NoSuchProcess:
        return True


def kill_trainer(pid: int) -> bool:
    """Kill the process of a job and all in its session; return whether it was still there."""
    try:
        if not is_job(psutil.Process(pid)):
            return False  # it has ended, and its number is another process's
        os.killpg(pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


@contextmanager
def running(server: RestartableServer) -> Iterator[RestartableServer]:
    """Have the server run during the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Latencies:
    """Seconds of each probe, and of each prediction that a user waits for."""

    probes: list[float] = field(default_factory=list)
    predictions: list[float] = field(default_factory=list)

    @property
    def probe_p99(self) -> float:
        return statistics.quantiles(self.probes, n=100)[98]

    @property
    def prediction_p95(self) -> float:
        return statistics.quantiles(self.predictions, n=20)[18]


@contextmanager
def measured(url: str, bodies: Sequence[Mapping[str, object]]) -> Iterator[Latencies]:
    """Probe a server and predict single tasks, one after the other, during the block.

    Both are done twice at least, without which there are no quantiles, however busy the machine is.
    """
    found, end = Latencies(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        works = [
            pool.submit(_probe, url, found.probes, end),
            pool.submit(_predict, url, bodies, found.predictions, end),
        ]
        try:
            yield found
        finally:
            end.set()
        for work in works:
            work.result()


def _probe(url: str, seconds: list[float], end: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=60, verify=False) as client:
        while not end.wait(PROBE_PAUSE_SECONDS) or len(seconds) < 2:
            start = time.perf_counter()
            client.get("/health").raise_for_status()
            seconds.append(time.perf_counter() - start)


def _predict(
    url: str, bodies: Sequence[Mapping[str, object]], seconds: list[float], end: threading.Event
) -> None:
    with httpx.Client(base_url=url, timeout=60, verify=False) as client:
        for body in cycle(bodies):
            if end.wait(USER_PAUSE_SECONDS) and len(seconds) >= 2:
                return
            start = time.perf_counter()
            client.post("/predict", json=body).raise_for_status()
            seconds.append(time.perf_counter() - start)
