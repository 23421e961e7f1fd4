"""Starting the real server, as users do, for the tests that need a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
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

    def wait(self, path: str = "/health", seconds: float = 120) -> None:
        """Until a path answers 200; the end of the log says why it does not."""
        until = time.monotonic() + seconds
        # Without `verify`, each client would read all certificates, for up to half a second.
        with httpx.Client(base_url=self.url, timeout=2, verify=False) as client:
            while time.monotonic() < until and self.process.poll() is None:
                try:
                    if client.get(path).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.1)
        raise AssertionError(f"{path} did not answer 200; the log ends:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, and what each thread of its workers is at: they end with that."""
        for worker in children(self.process.pid):
            os.kill(worker, signal.SIGSEGV)  # `faulthandler` writes the stacks, whatever hangs
        time.sleep(1)
        return "\n".join(self.log.read_text().splitlines()[-200:])


def children(process: int) -> list[int]:
    """The processes that one has started: of a server's, its workers."""
    try:
        return [
            int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:  # it is gone; or not Linux
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(*names: str, log: Path, host: str = "127.0.0.1", **variables: str) -> Iterator[Served]:
    """`prelabel serve NAMES` with these environment variables."""
    port = free_port()
    command = [sys.executable, "-m", "shared.cli", "serve", *names]
    command += ["--host", host, "--port", str(port)]
    with log.open("wb") as out:
        environment = os.environ | {"PYTHONFAULTHANDLER": "1"} | variables
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        server = Served(process, f"http://{host_and_port(host, port)}", log)
        try:
            yield server
        except httpx.TimeoutException as error:
            raise AssertionError(f"{error!r}; the server says:\n{server.last_words()}") from error
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
