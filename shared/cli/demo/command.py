"""`prelabel demo`: shows the predictions of the starter models for the examples."""

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from shared.cli import app

if TYPE_CHECKING:
    from rich.table import Table

    from shared.backend.base import Backend
    from shared.backend.example import Example

console = Console()

# For the server and all models to be ready.
START_TIMEOUT_SECONDS = 300.0


@app.command()
def demo(
    port: int = typer.Option(9090, help="Port of the server; 0 for any free one"),
    once: bool = typer.Option(False, envvar="ONCE", help="Stop the server after the examples"),
    out: Path = typer.Option(Path("demo"), help="Folder for the pictures and the log"),
) -> None:
    """Start the server with the starter models, predict the examples and show the results."""
    from shared.backend.registry import faulty_backends, find_backends, split_available

    classes, problems = split_available(list(find_backends().values()))
    for problem in (*problems.values(), *faulty_backends().values()):
        console.print(f"[yellow]left out:[/] {problem}")
    out.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    with (out / "server.log").open("w") as log:
        server = _start_server(classes, port, log)
        try:
            _wait_until_ready(server, url, out / "server.log")
            failed = [cls.name for cls in classes if not _predict_example(cls, url, out)]
            if failed:
                console.print(f"[red]Tasks without a prediction:[/] {', '.join(failed)}")
                raise typer.Exit(1)
            console.print(f"Pictures and the server's log are in [bold]{out}/[/]")
            if not once and sys.stdin.isatty():
                _keep_serving(server, url)
        finally:
            server.terminate()
            server.wait(40)


def _start_server(classes: "list[type[Backend]]", port: int, log: Any) -> "subprocess.Popen[bytes]":
    from shared.backend.example import FILES_ROOT
    from shared.settings import child_environment

    extra = {"LOCAL_FILES_ROOT": str(FILES_ROOT), "PYTHONUNBUFFERED": "1"}
    for cls in classes:
        extra |= cls.example_settings
    # `pattern` comes last: its rules fill the text tags that no model fills.
    names = sorted((cls.name for cls in classes), key=lambda name: name == "pattern")
    command = [sys.executable, "-m", "shared.cli", "serve", *names, "--port", str(port)]
    command += ["--host", "127.0.0.1"]
    return subprocess.Popen(command, stdout=log, stderr=log, env=child_environment(extra))


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until all models are loaded; a spinner shows which are not."""
    import httpx
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    until = time.monotonic() + START_TIMEOUT_SECONDS
    with Progress(*columns, console=console) as progress:
        row = progress.add_task("Starting the server")
        while time.monotonic() < until:
            if server.poll() is not None:
                break
            try:
                ready = httpx.get(f"{url}/ready", timeout=2).json()
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
    console.print(f"[red]The server did not start.[/] The end of {log}:")
    console.print("\n".join(log.read_text().splitlines()[-20:]), markup=False)
    raise typer.Exit(1)


def _predict_example(cls: "type[Backend]", url: str, out: Path) -> bool:
    """Send a backend's example as Label Studio does; return whether every task was predicted."""
    import httpx

    from shared.backend.example import Example

    example = Example.load(cls)
    with httpx.Client(base_url=f"{url}/{cls.name}", timeout=120) as client:
        setup = client.post("/setup", json=example.setup_request(url)).raise_for_status().json()
        answers = client.post("/predict", json=example.predict_request()).raise_for_status().json()
    console.print(_build_table(example, answers["results"], setup["model_version"]))
    for number, (task, answer) in enumerate(zip(example.tasks, answers["results"], strict=True), 1):
        for file in example.task_files(task):
            _draw_regions(file, answer, out / f"{cls.name}-{number}.png")
    return all(isinstance(answer, dict) for answer in answers["results"])


def _draw_regions(file: Path, answer: Any, target: Path) -> None:
    from shared.cli.demo.drawing import draw_regions

    if isinstance(answer, dict):
        draw_regions(file, answer["result"], target)


def _build_table(example: "Example", answers: list[Any], version: str) -> "Table":
    from rich.table import Table

    table = Table(title=f"{example.backend}  ({version})", title_justify="left")
    for column in ("task", "label", "score", "where", "text"):
        table.add_column(column, overflow="fold")
    for task, answer in zip(example.tasks, answers, strict=True):
        regions: dict[str, dict[str, Any]] = {}
        for result in answer["result"] if isinstance(answer, dict) else []:
            # results with one id are one region, such as a box and its text
            value = regions.setdefault(result["id"], {"score": result.get("score")})
            value |= result["value"]
        for value in regions.values():
            table.add_row(str(task["id"]), *_format_cells(value))
        if not regions:
            table.add_row(str(task["id"]), "nothing found" if answer else "failed")
        table.add_section()
    return table


def _format_cells(value: dict[str, Any]) -> tuple[str, str, str, str]:
    label_lists = (v for k, v in value.items() if k.endswith("labels") or k == "choices")
    labels: list[str] = next(label_lists, [])
    score = "" if value.get("score") is None else f"{value['score']:.2f}"
    where = ""
    if "start" in value:
        where = f"{value['start']}–{value['end']}"
    elif "width" in value:
        where = ", ".join(f"{value[key]:.1f}" for key in ("x", "y", "width", "height")) + " %"
    text = value.get("text", "")
    return ", ".join(labels), score, where, text if isinstance(text, str) else " ".join(text)


def _keep_serving(server: "subprocess.Popen[bytes]", url: str) -> None:
    console.print(
        f"\nThe server runs on [bold]{url}[/]. In Label Studio: Settings → Model → Connect Model"
        " with that URL.\nLabel Studio must be started with ML_BLOCK_LOCAL_IP=false and"
        " SSRF_PROTECTION_ENABLED=false to reach this machine.\nThese are starter models; set"
        " DETECTION_MODEL and NER_MODEL for real ones. Ctrl-C stops the server."
    )
    try:
        server.wait()
    except KeyboardInterrupt:
        console.print("Stopped")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
