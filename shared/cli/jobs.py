"""`prelabel jobs`: what runs, waits and has ended of trainings and other long work."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from shared.cli import app
from shared.cli.job_table import SHOWN_JOBS, describe_job, describe_progress, job_table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from shared.jobs.job import Job
    from shared.jobs.job_store import JobStore
    from shared.settings import Settings

POLL_SECONDS = 0.5
# Who waits for a job also starts it again if its process was killed, should no server do so.
RECONCILE_SECONDS = 5.0
_CANCEL = "cancel"


@app.command()
def jobs(
    words: list[str] = typer.Argument(
        None,
        metavar="[ID | cancel ID]",
        help="A job, for all that is known of it; with cancel, the job to end",
        show_default=False,
    ),
    follow: bool = typer.Option(
        False, "--follow", "-f", help="Show the progress until the job, or all, have ended"
    ),
) -> None:
    """Show the jobs: trainings and other long work. Ctrl-C of --follow lets them go on."""
    from shared.jobs.job_store import JobStore
    from shared.settings import Settings, read_settings

    settings = read_settings(Settings)
    store = JobStore(settings.train_dir)
    given = list(words or [])
    if given[:1] == [_CANCEL]:
        _cancel(store, given[1:])
    elif len(given) > 1:
        raise typer.BadParameter(f"expected one ID, or {_CANCEL} ID")
    elif given and follow:
        raise typer.Exit(0 if follow_job(settings, given[0]).state.value == "done" else 1)
    elif given:
        _print_job(store, store.find(given[0]))
    elif follow:
        _follow_all(settings, store)
    else:
        _print_jobs(store.list_jobs(), store)


def follow_job(settings: "Settings", job_id: str) -> "Job":
    """Show a job's progress until it has ended, and return it then.

    On a terminal the line is drawn again, elsewhere each change is a line. Ctrl-C leaves the job
    running, and says so.
    """
    from rich.live import Live

    from shared.jobs.job_store import JobStore

    store = JobStore(settings.train_dir)
    shown, job = "", store.find(job_id)
    try:
        with Live(console=_console(), transient=True, auto_refresh=False) as live:
            for job in _states(settings, store, job_id):
                line = describe_job(job)
                if live.console.is_terminal:
                    live.update(_text(line), refresh=True)
                elif line != shown and not job.is_finished:
                    typer.echo(line)
                shown = line
    except KeyboardInterrupt:
        typer.echo(f"{job_id} goes on: `prelabel jobs` shows it, `prelabel jobs cancel` ends it")
        raise typer.Exit(130) from None
    typer.echo(describe_job(job))
    return job


def _states(settings: "Settings", store: "JobStore", job_id: str) -> "Iterator[Job]":
    """Yield a job now and then, at last as it ended."""
    reconciled = 0.0
    while True:
        reconciled = _reconcile(settings, reconciled)
        job = store.find(job_id)
        yield job
        if job.is_finished:
            return
        time.sleep(POLL_SECONDS)


def _reconcile(settings: "Settings", last: float) -> float:
    """Start what was killed again, if the last time is long ago; return when that was done."""
    from shared.jobs.reconcile import reconcile

    if time.monotonic() - last < RECONCILE_SECONDS:
        return last
    reconcile(settings)
    return time.monotonic()


def _follow_all(settings: "Settings", store: "JobStore") -> None:
    """Show the table until nothing runs or waits; elsewhere than on a terminal, each change."""
    from rich.live import Live

    reconciled, found = 0.0, store.list_jobs()
    shown: dict[str, str] = {}
    try:
        with Live(console=_console(), transient=True, auto_refresh=False) as live:
            while not all(job.is_finished for job in found):
                reconciled = _reconcile(settings, reconciled)
                if live.console.is_terminal:
                    live.update(job_table(found), refresh=True)
                else:
                    _print_changes(found, shown)
                time.sleep(POLL_SECONDS)
                found = store.list_jobs()
    except KeyboardInterrupt:
        typer.echo("the jobs go on: prelabel jobs shows them")
        raise typer.Exit(130) from None
    _print_jobs(found, store)


def _print_changes(found: "Sequence[Job]", shown: dict[str, str]) -> None:
    """Print a line for each job that goes on and is not as it was `shown`."""
    for job in found:
        line = describe_job(job)
        if not job.is_finished and shown.get(job.id) != line:
            typer.echo(line)
            shown[job.id] = line


def _cancel(store: "JobStore", ids: Sequence[str]) -> None:
    from shared.jobs.job import JobState

    if not ids:
        raise typer.BadParameter(f"expected {_CANCEL} ID")
    for job_id in ids:
        before = store.find(job_id)
        job = store.cancel(job_id)
        if before.is_finished:
            typer.echo(f"{job.id} has ended already: {job.state.value}")
        elif job.state is JobState.cancelled:
            typer.echo(f"{job.id} is cancelled")
        else:
            typer.echo(f"{job.id} is being cancelled: it ends at its next report")


def _print_jobs(found: "Sequence[Job]", store: "JobStore") -> None:
    if not found:
        typer.echo(f"there are no jobs in TRAIN_DIR={store.train_dir}")
        return
    _console().print(job_table(found))
    if len(found) > SHOWN_JOBS:
        typer.echo(f"and {len(found) - SHOWN_JOBS} older ones")


def _print_job(store: "JobStore", job: "Job") -> None:
    from shared.errors import escape_control

    shown = job.to_json() | {"log": str(store.folder(job.id).log)}
    for name, value in shown.items():
        text = describe_progress(value) if name == "progress" else value
        if text not in ("", {}):
            label = name.replace("_", " ")
            typer.echo(f"{label:<18} {escape_control(str(text))}")


def _text(line: str) -> "RenderableType":
    from rich.text import Text

    return Text(line)


def _console() -> "Console":
    from shared.cli.tables import create_console

    return create_console()
