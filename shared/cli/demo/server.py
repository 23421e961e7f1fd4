"""The server that a demo starts, and waits for."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

console = Console()

# For the server and all models to be ready.
START_TIMEOUT_SECONDS = 300.0
STOP_TIMEOUT_SECONDS = 40.0


@dataclass(frozen=True)
class DemoServer:
    """A running server: its process, its address, its log."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def wait_until_ready(self) -> None:
        """Wait until all models are loaded; a spinner shows which are not."""
        import httpx
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        until = time.monotonic() + START_TIMEOUT_SECONDS
        with Progress(*columns, console=console) as progress:
            row = progress.add_task("Starting the server")
            while time.monotonic() < until:
                if self.process.poll() is not None:
                    break
                try:
                    ready = httpx.get(f"{self.url}/ready", timeout=2).json()
                except (httpx.HTTPError, ValueError):
                    ready = None
                if ready is not None:
                    waiting = ready["waiting"]
                    if not waiting:
                        progress.update(row, description="The server is ready")
                        for model, reason in ready["failed"].items():
                            console.print(f"[red]{model}:[/] {reason}")
                        return
                    text = ", ".join(f"{model}: {state}" for model, state in waiting.items())
                    progress.update(row, description=f"Waiting for {text}")
                time.sleep(0.2)
        console.print(f"[red]The server did not start.[/] The end of {self.log}:")
        console.print("\n".join(self.log.read_text().splitlines()[-20:]), markup=False)
        raise typer.Exit(1)

    def keep_serving(self) -> None:
        """Wait until the user presses Ctrl-C."""
        try:
            self.process.wait()
        except KeyboardInterrupt:
            console.print("Stopped")


@contextmanager
def start_server(
    names: Sequence[str], port: int, log: Path, variables: Mapping[str, str]
) -> Iterator[DemoServer]:
    """Run `prelabel serve NAMES` on the loopback address during the block; port 0 is any."""
    from shared.settings import child_environment

    port = port or _free_port()
    command = [sys.executable, "-m", "shared.cli", "serve", *names, "--port", str(port)]
    command += ["--host", "127.0.0.1"]
    environment = child_environment({"PYTHONUNBUFFERED": "1", **variables})
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            yield DemoServer(process, f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_SECONDS)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
