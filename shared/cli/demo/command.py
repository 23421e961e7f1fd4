"""`prelabel demo`: shows the predictions of the starter models for the examples."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app

if TYPE_CHECKING:
    from rich.table import Table

    from shared.backend.base import Backend
    from shared.backend.example import Example


@app.command()
def demo(
    port: int = typer.Option(9090, help="Port of the server; 0 for any free one"),
    once: bool = typer.Option(False, envvar="ONCE", help="Stop the server after the examples"),
    out: Path = typer.Option(Path("demo"), help="Folder for the pictures and the log"),
    training: bool = typer.Option(
        False,
        "--training",
        help="Show how annotations become a model instead, in a new project of the Label Studio at"
        " LABEL_STUDIO_URL",
    ),
) -> None:
    """Start the server with the starter models, predict the examples and show the results."""
    if training:
        from shared.cli.demo.training import show_training

        show_training(port, once, out)
        return
    show_examples(port, once, out)


def show_examples(port: int, once: bool, out: Path) -> None:
    """Predict the examples of all backends that can run here, and show the results."""
    from shared.backend.registry import faulty_backends, find_backends, split_available
    from shared.cli.demo.server import console, start_server

    classes, problems = split_available(list(find_backends().values()))
    for problem in (*problems.values(), *faulty_backends().values()):
        console.print(f"[yellow]left out:[/] {problem}")
    out.mkdir(parents=True, exist_ok=True)
    with start_server(_names(classes), port, out / "server.log", _variables(classes)) as server:
        server.wait_until_ready()
        failed = [cls.name for cls in classes if not _predict_example(cls, server.url, out)]
        if failed:
            console.print(f"[red]Tasks without a prediction:[/] {', '.join(failed)}")
            raise typer.Exit(1)
        console.print(f"Pictures and the server's log are in [bold]{out}/[/]")
        if not once and sys.stdin.isatty():
            console.print(
                f"\nThe server runs on [bold]{server.url}[/]; its playground, in a browser, on"
                f" [bold]{server.url}/pages/playground[/]. In Label Studio: Settings → Model →"
                " Connect Model with that URL.\nLabel Studio must be started with"
                " ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false to reach this"
                " machine.\nThese are starter models; set DETECTION_MODEL and NER_MODEL for real"
                " ones. Ctrl-C stops the server."
            )
            server.keep_serving()


def _names(classes: "list[type[Backend]]") -> list[str]:
    """Return the backends' names; `pattern` comes last: it fills what no model fills."""
    return sorted((cls.name for cls in classes), key=lambda name: name == "pattern")


def _variables(classes: "list[type[Backend]]") -> dict[str, str]:
    from shared.backend.example import FILES_ROOT

    variables = {"LOCAL_FILES_ROOT": str(FILES_ROOT)}
    for cls in classes:
        variables |= cls.example_settings
    return variables


def _predict_example(cls: "type[Backend]", url: str, out: Path) -> bool:
    """Send a backend's example as Label Studio does; return whether every task was predicted."""
    import httpx

    from shared.backend.example import Example
    from shared.cli.demo.server import console

    example = Example.load(cls)
    with httpx.Client(base_url=f"{url}/{cls.name}", timeout=120) as client:
        setup = client.post("/setup", json=example.setup_request(url)).raise_for_status().json()
        answers = client.post("/predict", json=example.predict_request()).raise_for_status().json()
    console.print(_build_table(example, answers["results"], setup["model_version"]))
    for number, (task, answer) in enumerate(zip(example.tasks, answers["results"], strict=True), 1):
        for file in example.image_files(task):
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
            if "rle" in value:
                value["covers"] = _mask_share(result)
        for value in regions.values():
            table.add_row(str(task["id"]), *_format_cells(value))
        if not regions:
            table.add_row(str(task["id"]), "nothing found" if answer else "failed")
        table.add_section()
    return table


def _mask_share(result: dict[str, Any]) -> float:
    """Return the share of the image that a mask covers."""
    from shared.results import rle

    size = result["original_height"], result["original_width"]
    return float((rle.decode(result["value"]["rle"], *size) > 0).mean())


def _format_cells(value: dict[str, Any]) -> tuple[str, str, str, str]:
    label_lists = (v for k, v in value.items() if k.endswith("labels") or k == "choices")
    answers = [str(value[key]) for key in ("rating", "number", "datetime") if key in value]
    labels: list[str] = next(label_lists, answers)
    score = "" if value.get("score") is None else f"{value['score']:.2f}"
    where = ""
    if "start" in value:
        where = f"{value['start']}–{value['end']}"
    elif "covers" in value:
        where = f"a mask of {100 * value['covers']:.1f} %"
    elif "width" in value:
        where = ", ".join(f"{value[key]:.1f}" for key in ("x", "y", "width", "height")) + " %"
    text = value.get("text", "")
    return ", ".join(labels), score, where, text if isinstance(text, str) else " ".join(text)
