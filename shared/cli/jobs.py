"""`prelabel jobs`: what runs, waits and has ended of trainings and other long work."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.progress import format_duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from shared.jobs.job import Job
    from shared.jobs.job_store import JobStore
    from shared.settings import Settings

POLL_SECONDS = 0.5
# Who waits for a job also starts it again if its process was killed, should no server do so.
RECONCILE_SECONDS = 5.0
SHOWN_JOBS = 20
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


def describe_job(job: "Job") -> str:
    """Return a job in one line: id, state, progress, remaining time, message."""
    from shared.errors import escape_control

    remaining = _format_seconds(job.remaining_seconds)
    spent = _format_seconds(job.seconds) if job.is_finished else ""
    parts = [
        f"{job.id} {job.state.value}" + (f" in {spent}" if spent else ""),
        describe_progress(job.progress),
        f"about {remaining} left" if remaining else "",
        job.message,
    ]
    return escape_control(": ".join((parts[0], ", ".join(filter(None, parts[1:])))).rstrip(": "))


def describe_progress(progress: Mapping[str, Any]) -> str:
    """Return progress in words: `epoch 3 of 20, 15 %, loss 0.213`."""
    words = []
    if "epoch" in progress:
        of = f" of {progress['epochs']}" if "epochs" in progress else ""
        words.append(f"epoch {progress['epoch']}{of}")
    if isinstance(fraction := progress.get("fraction"), int | float):
        words.append(f"{fraction:.0%}".replace("%", " %"))
    own = {"epoch", "epochs", "fraction", "remaining_seconds"}
    words += [_describe(name, value) for name, value in progress.items() if name not in own]
    return ", ".join(filter(None, words))


def _describe(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(filter(None, (_describe(str(key), one) for key, one in value.items())))
    if isinstance(value, float):
        return f"{name.replace('_', ' ')} {value:.3g}"
    return f"{name.replace('_', ' ')} {value}" if isinstance(value, int | str) else ""


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
    """Show the table until nothing runs or waits."""
    from rich.live import Live

    reconciled, found = 0.0, store.list_jobs()
    try:
        with Live(console=_console(), transient=True, auto_refresh=False) as live:
            while not all(job.is_finished for job in found):
                reconciled = _reconcile(settings, reconciled)
                if live.console.is_terminal:
                    live.update(_table(found), refresh=True)
                time.sleep(POLL_SECONDS)
                found = store.list_jobs()
    except KeyboardInterrupt:
        typer.echo("the jobs go on: prelabel jobs shows them")
        raise typer.Exit(130) from None
    _print_jobs(found, store)


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
    _console().print(_table(found))
    if len(found) > SHOWN_JOBS:
        typer.echo(f"and {len(found) - SHOWN_JOBS} older ones")


def _table(found: "Sequence[Job]") -> "RenderableType":
    """Return the latest jobs, the newest first."""
    from shared.cli.tables import create_table, name_cell

    names = ["job", "kind", "project", "state", "progress", "time", "left", "message"]
    table = create_table(names)
    for job in found[: -SHOWN_JOBS - 1 : -1]:
        cells = (
            job.id,
            job.kind,
            job.key,
            job.state.value,
            describe_progress(job.progress),
            _format_seconds(job.seconds),
            _format_seconds(job.remaining_seconds),
            job.message,
        )
        table.add_row(*map(name_cell, cells))
    return table


def _print_job(store: "JobStore", job: "Job") -> None:
    from shared.errors import escape_control

    shown = job.to_json() | {"log": str(store.folder(job.id).log)}
    for name, value in shown.items():
        text = describe_progress(value) if name == "progress" else value
        if text not in ("", {}):
            label = name.replace("_", " ")
            typer.echo(f"{label:<18} {escape_control(str(text))}")


def _format_seconds(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds)


def _text(line: str) -> "RenderableType":
    from rich.text import Text

    return Text(line)


def _console() -> "Console":
    from shared.cli.tables import create_console

    return create_console()
