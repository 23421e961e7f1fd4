"""Starts the real server as users do, for tests that need it in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.settings import host_and_port


@dataclass
class Served:
    """A server process, its address and its log."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def wait(self, path: str = "/health", seconds: float = 300) -> None:
        """Wait until a path answers 200; if it does not, fail with the end of the log."""
        end = time.monotonic() + seconds
        # Without `verify`, each client would read all certificates, for up to half a second.
        with httpx.Client(base_url=self.url, timeout=2, verify=False) as client:
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    if client.get(path).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.1)
        raise AssertionError(f"{path} did not answer 200; the log ends:\n{self.end_of_log()}")

    def end_of_log(self) -> str:
        """End the workers; return the end of the log, with the stack of each of their threads."""
        for worker in children(self.process.pid):
            os.kill(worker, signal.SIGSEGV)  # `faulthandler` then writes the stacks
        time.sleep(1)
        return "\n".join(self.log.read_text().splitlines()[-200:])


def children(process: int) -> list[int]:
    """Return the processes that a process has started: those of a server are its workers."""
    try:
        return [
            int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:  # it has ended, or this is not Linux
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    *names: str,
    log: Path,
    host: str = "127.0.0.1",
    program: Sequence[str] = ("-m", "shared.cli"),
    **variables: str,
) -> Iterator[Served]:
    """Run `prelabel serve NAMES` with these environment variables during the block."""
    port = free_port()
    command = [sys.executable, *program, "serve", *names]
    command += ["--host", host, "--port", str(port)]
    with log.open("wb") as out:
        environment = os.environ | {"PYTHONFAULTHANDLER": "1"} | variables
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        server = Served(process, f"http://{host_and_port(host, port)}", log)
        try:
            yield server
        except httpx.TimeoutException as error:
            raise AssertionError(f"{error!r}; the server says:\n{server.end_of_log()}") from error
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
