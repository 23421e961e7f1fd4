"""`prelabel doctor`: looks at the way of a user's predictions, and says where it ends."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Any

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
# What a server that listens on all addresses is asked at, by its HOST.
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class Format(str, Enum):
    """How the checks are written."""

    text = "text"
    json = "json"


@app.command()
def doctor(
    url: str = typer.Option(
        None, help="The server's address (else http://HOST:PORT)", show_default=False
    ),
    project: int = typer.Option(None, help="Number of a project of LABEL_STUDIO_URL"),
    push: bool = typer.Option(
        False, "--push", help="Also store the prediction of the project's first task"
    ),
    format: Format = typer.Option(Format.text, help="text, or json: one check a line"),  # noqa: A002
) -> None:
    """Check every link between Label Studio and the server; exit status 1 if one is broken."""
    show = _Text() if format is Format.text else _Lines()
    states: Counter[str] = Counter()
    for check in _checks(url, project, push):
        states[check.state] += 1
        show(check)
    if states["broken"]:
        raise typer.Exit(1)


def _checks(url: str | None, project: int | None, push: bool) -> "Iterator[Check]":
    from shared.cli.doctor.check import broken
    from shared.cli.doctor.runner import run_checks
    from shared.cli.doctor.session import DoctorSession
    from shared.settings import Settings, read_settings

    try:
        settings = read_settings(Settings)
    except SettingError as error:
        yield broken("Settings", "setting", str(error))
        return
    way = DoctorSession(settings, (url or _own(settings)).rstrip("/"), project, push)
    try:
        yield from run_checks(way)
    finally:
        way.close()


def _own(settings: "Settings") -> str:
    from shared.settings import host_and_port

    host = settings.host.strip("[]")
    return f"http://{host_and_port(EVERYWHERE.get(host, host), settings.port)}"


class _Lines:
    """One JSON object a line."""

    def __call__(self, check: "Check") -> None:
        from shared.label_studio.json_stream import dump_line

        sys.stdout.buffer.write(dump_line(asdict(check)))
        sys.stdout.buffer.flush()


class _Text:
    """A sign, the link and what was found; below it what helps."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)

    def __call__(self, check: "Check") -> None:
        from rich.markup import escape
        from rich.padding import Padding

        table = self._row(SIGNS[check.state], check.link, escape(check.found), check.state)
        self._console.print(table)
        if check.remedy:
            self._console.print(
                Padding(f"[bold]→[/] {escape(check.remedy)}", (0, 0, 0, 17), expand=False)
            )

    def _row(self, sign: str, link: str, found: str, state: str) -> Any:
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=14)
        table.add_column(overflow="fold")
        style = "dim" if state == "skipped" else ""
        table.add_row(sign, link, found, style=style)
        return table
