"""`prelabel doctor`: finds out why Label Studio does not show the predictions."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING

import typer

from shared.cli import app
from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.cli.doctor.check import Check
    from shared.settings import Settings

SIGNS = {
    "ok": "[green]✓[/]",
    "warning": "[yellow]![/]",
    "broken": "[red]✗[/]",
    "skipped": "[dim]-[/]",
}
# Columns of the report where it does not go to a terminal, and those before what was found.
WIDTH = 140
LINK_WIDTH = 14
REMEDY_INDENT = 17
# The address to ask a server at that listens on all addresses, by its HOST.
LOCAL_ADDRESSES = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class Format(str, Enum):
    """How the checks are written."""

    text = "text"
    json = "json"


@app.command()
def doctor(
    url: str = typer.Option(
        None, help="Address of the server (default: http://HOST:PORT)", show_default=False
    ),
    project: int = typer.Option(None, help="ID of the Label Studio project to check"),
    push: bool = typer.Option(
        False, "--push", help="Also store the prediction of the project's first task"
    ),
    format: Format = typer.Option(  # noqa: A002
        Format.text, help="text, or json: one check per line"
    ),
) -> None:
    """Check every link between Label Studio and the server, and say how to mend it.

    Reads LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY. The exit status is 1 if a link is broken.
    """
    show = _TextReport() if format is Format.text else _print_json_line
    states: Counter[str] = Counter()
    for check in _run_checks(url, project, push):
        states[check.state] += 1
        show(check)
    if states["broken"]:
        raise typer.Exit(1)


def _run_checks(url: str | None, project: int | None, push: bool) -> "Iterator[Check]":
    from shared.cli.doctor.check import broken_check
    from shared.cli.doctor.runner import run_checks
    from shared.cli.doctor.session import DoctorSession
    from shared.settings import Settings, read_settings

    try:
        settings = read_settings(Settings)
    except SettingError as error:
        yield broken_check("Settings", "setting", str(error))
        return
    server_url = (url or _local_url(settings)).rstrip("/")
    session = DoctorSession(settings, server_url, project, push)
    try:
        yield from run_checks(session)
    finally:
        session.close()


def _local_url(settings: "Settings") -> str:
    """Return the address of a server that is started here with the same settings."""
    from shared.settings import host_and_port

    host = settings.host.strip("[]")
    return f"http://{host_and_port(LOCAL_ADDRESSES.get(host, host), settings.port)}"


def _print_json_line(check: "Check") -> None:
    from shared.label_studio.json_stream import dump_line

    sys.stdout.buffer.write(dump_line(asdict(check)))
    sys.stdout.buffer.flush()


class _TextReport:
    """Prints a sign, the link and what was found; below it the remedy."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)

    def __call__(self, check: "Check") -> None:
        from rich.markup import escape
        from rich.padding import Padding
        from rich.table import Table

        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=LINK_WIDTH)
        row.add_column(overflow="fold")
        style = "dim" if check.state == "skipped" else ""
        row.add_row(SIGNS[check.state], check.link, escape(check.found), style=style)
        self._console.print(row)
        if check.remedy:
            remedy = f"[bold]→[/] {escape(check.remedy)}"
            self._console.print(Padding(remedy, (0, 0, 0, REMEDY_INDENT), expand=False))
