"""`prelabel doctor`: finds out why Label Studio does not show the predictions."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shared.cli import app
from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.doctor.check import Check
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
VARIABLE_WIDTH = 36
# What stands before a remedy, beside the link.
REMEDY_INDENT = 3
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
    from_compose: Path = typer.Option(
        None,
        help="Compose file of an official example of Label Studio: check nothing but what each of"
        " its settings does here",
        show_default=False,
    ),
    format: Format = typer.Option(  # noqa: A002
        Format.text, help="text, or json: one check per line"
    ),
) -> None:
    """Check every link between Label Studio and the server, and say how to mend it.

    Reads LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY. The exit status is 1 if a link is broken.
    """
    width = LINK_WIDTH if from_compose is None else VARIABLE_WIDTH
    show = _TextReport(width) if format is Format.text else _print_json_line
    states: Counter[str] = Counter()
    for check in _check_compose_file(from_compose) or _run_checks(url, project, push):
        states[check.state] += 1
        show(check)
    if states["broken"]:
        raise typer.Exit(1)


def _check_compose_file(path: Path | None) -> "Iterator[Check] | None":
    if path is None:
        return None
    from shared.doctor.compose import check_compose_file

    return check_compose_file(path)


def _run_checks(url: str | None, project: int | None, push: bool) -> "Iterator[Check]":
    from shared.doctor.check import broken_check
    from shared.doctor.runner import run_checks
    from shared.doctor.session import DoctorSession
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

    def __init__(self, link_width: int = LINK_WIDTH) -> None:
        from rich.console import Console

        self._link_width = link_width
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)

    def __call__(self, check: "Check") -> None:
        from rich.markup import escape
        from rich.padding import Padding
        from rich.table import Table

        from shared.cli.tables import escape_lines

        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=self._link_width)
        row.add_column(overflow="fold")
        style = "dim" if check.state == "skipped" else ""
        # Both may be of a file that somebody else has written.
        link, found = (escape(escape_lines(text)) for text in (check.link, check.found))
        row.add_row(SIGNS[check.state], link, found, style=style)
        self._console.print(row)
        if check.remedy:
            remedy = f"[bold]→[/] {escape(check.remedy)}"
            indent = REMEDY_INDENT + self._link_width
            self._console.print(Padding(remedy, (0, 0, 0, indent), expand=False))
