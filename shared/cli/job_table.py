"""Jobs in words: a line of one, a table of many."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.cli.progress import format_duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.jobs.job import Job

SHOWN_JOBS = 20


def describe_job(job: "Job") -> str:
    """Return a job in one line: id, state, message; progress and remaining time while it runs."""
    from shared.errors import escape_control

    remaining = _format_seconds(job.remaining_seconds)
    spent = _format_seconds(job.seconds) if job.is_finished else ""
    parts = [
        f"{job.id} {job.state.value}" + (f" in {spent}" if spent else ""),
        job.message,
        "" if job.is_finished and job.message else describe_progress(job.progress),
        f"about {remaining} left" if remaining else "",
    ]
    return escape_control(": ".join((parts[0], ", ".join(filter(None, parts[1:])))).rstrip(": "))


def describe_progress(progress: Mapping[str, Any]) -> str:
    """Return progress in words: `epoch 3 of 20, 15 %, loss 0.213`, the stage before an epoch.

    The control tag is left out, which the message names.
    """
    words = []
    if "epoch" not in progress:
        words.append(str(progress.get("stage", "")))
    else:
        of = f" of {progress['epochs']}" if "epochs" in progress else ""
        words.append(f"epoch {progress['epoch']}{of}")
    if isinstance(fraction := progress.get("fraction"), int | float):
        words.append(f"{fraction:.0%}".replace("%", " %"))
    own = {"epoch", "epochs", "fraction", "remaining_seconds", "stage", "control"}
    words += [_describe(name, value) for name, value in progress.items() if name not in own]
    return ", ".join(filter(None, words))


def _describe(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(filter(None, (_describe(str(key), one) for key, one in value.items())))
    from shared.evaluation.figures import figure_name

    shown = figure_name(name)
    if isinstance(value, float):
        return f"{shown} {value:.3g}"
    return f"{shown} {value}" if isinstance(value, int | str) else ""


def job_table(found: "Sequence[Job]") -> "RenderableType":
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
            "" if job.state.value == "done" else describe_progress(job.progress),
            _format_seconds(job.seconds),
            _format_seconds(job.remaining_seconds),
            job.message,
        )
        table.add_row(*map(name_cell, cells))
    return table


def _format_seconds(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds)
