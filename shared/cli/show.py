"""`prelabel show`: predictions in Label Studio's own editor, as pictures or in a browser."""

import contextlib
import time
import webbrowser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.local_path import check_local
from shared.errors import PrelabelError, SettingError, TaskError, escape_control

if TYPE_CHECKING:
    from shared.editor.browser import EditorBrowser, Side
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TaskEntry


@app.command()
def show(
    file: str = typer.Argument(
        metavar="FILE",
        help="Tasks with predictions or annotations: JSON or JSON Lines, also gzipped; - for"
        " standard input",
    ),
    label_config: Path = typer.Option(
        help="The project's label config, an XML file", exists=True, dir_okay=False
    ),
    task: int = typer.Option(None, min=0, help="Only this task of the file, from 0"),
    annotations: bool = typer.Option(False, "--annotations", help="Annotations, not predictions"),
    output: Path = typer.Option(
        None,
        "--output",
        "-o",
        callback=check_local,
        help="The picture to write (.png), or a folder: one picture for each prediction",
    ),
    open_: bool = typer.Option(False, "--open", help="Show a task in the browser until Ctrl+C"),
) -> None:
    """Show tasks in Label Studio's own editor, without Label Studio.

    Its files are those of an installed label-studio, or of LABEL_STUDIO_ASSETS. The exit status
    is 1 if a task cannot be shown.
    """
    from shared.label_studio.label_config import LabelConfig

    if (output is None) is not open_:
        raise typer.BadParameter("specify -o PICTURE, or --open")
    config = LabelConfig.parse(label_config.read_text(encoding="utf-8", errors="replace"))
    side: Side = "annotations" if annotations else "predictions"
    entries = _select_tasks(file, task)
    if open_:
        _open_task(next(entries), config, side)
    elif not _write_pictures(entries, config, side, output):
        raise typer.Exit(1)


def _select_tasks(file: str, number: int | None) -> "Iterator[TaskEntry]":
    """Yield the tasks to show, at least one."""
    from shared.label_studio.task_file import TaskFile

    entries = iter(TaskFile(file))
    wanted = entries if number is None else islice(entries, number, number + 1)
    first = next(wanted, None)
    if first is None:
        raise SettingError(f"{file}: has no task{'' if number is None else f' {number}'}")
    yield first
    yield from wanted


def _write_pictures(
    entries: "Iterator[TaskEntry]", config: "LabelConfig", side: "Side", output: Path
) -> bool:
    """Write a picture of each prediction; return whether all tasks could be shown."""
    from shared.editor.browser import EditorBrowser
    from shared.settings import Settings, read_settings

    single = output.suffix.lower() == ".png"
    good = True
    with EditorBrowser(read_settings(Settings)) as browser:
        for entry in entries:
            try:
                _check_entry(entry)
                for index, path in _pictures(browser, entry, config, side, output):
                    browser.select(index)
                    browser.screenshot(path)
                    typer.echo(str(path))
            except TaskError as error:
                good = False
                typer.echo(escape_control(f"prelabel: {entry}: {error}"), err=True)
            except OSError as error:
                raise SettingError(f"{output} cannot be written: {error.strerror}") from None
            if single:
                break
    return good


def _pictures(
    browser: "EditorBrowser",
    entry: "TaskEntry",
    config: "LabelConfig",
    side: "Side",
    output: Path,
) -> Iterator[tuple[int, Path]]:
    """Show the task; yield each prediction's index and the path of its picture."""
    count = browser.show(config, entry.task, side)
    if not count:
        raise TaskError(f"The task has no {side}")
    if output.suffix.lower() == ".png":
        output.parent.mkdir(parents=True, exist_ok=True)
        yield 0, output
        return
    output.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        part = "" if count == 1 else f"-{index}"
        yield index, output / f"{entry.number}{part}.png"


def _check_entry(entry: "TaskEntry") -> None:
    if entry.problem is not None:
        raise TaskError(entry.problem)
    if not isinstance(entry.task, dict):
        raise TaskError("A task should be an object")


def _open_task(entry: "TaskEntry", config: "LabelConfig", side: "Side") -> None:
    """Serve the editor with a task until Ctrl+C."""
    from shared.editor.assets import require_assets
    from shared.editor.local_server import LocalServer
    from shared.editor.task_media import localize_media
    from shared.media.reader import MediaReader
    from shared.settings import Settings, read_settings

    _check_entry(entry)
    settings = read_settings(Settings)
    reader = MediaReader(settings)
    with contextlib.closing(reader), LocalServer(require_assets(settings)) as server:
        try:
            local: dict[str, Any] = localize_media(entry.task, config, reader, server.publish)
        except TaskError as error:
            raise PrelabelError(f"{entry}: {error}") from None
        other = "annotations" if side == "predictions" else "predictions"
        server.set_first_task(config.xml, {"id": 1, **local, other: []})
        typer.echo(f"{server.page_url}\nCtrl+C ends")
        webbrowser.open(server.page_url)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
