"""`prelabel work`: predicts tasks of projects from a machine that nobody connects to."""

import logging
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import NamedTuple

import typer

from shared.cli import app

# A restart of Label Studio takes less; who asks once does not wait for ever.
ONCE_PATIENCE_SECONDS = 60.0


@app.command()
def work(
    project: list[int] = typer.Option(
        ..., help="ID of a project in LABEL_STUDIO_URL; may be repeated"
    ),
    once: bool = typer.Option(False, "--once", help="End when no task lacks a prediction any more"),
    poll: float = typer.Option(5.0, min=0.5, help="Seconds between two looks for new tasks"),
    patience: float = typer.Option(
        None,
        min=0,
        help="Seconds for which a Label Studio that does not answer is waited for"
        f" (default: {ONCE_PATIENCE_SECONDS:g} with --once, otherwise for ever)",
    ),
    lease: float = typer.Option(
        60.0,
        min=2,
        help="Seconds after which a worker that was killed is known to be gone; the same for all",
    ),
    backend: list[str] = typer.Option(
        None,
        help="A backend, or backend:model; may be repeated (default: BACKENDS, or all installed)",
    ),
) -> None:
    """Predict the tasks of projects that lack a prediction of this version, and wait for more.

    This machine asks Label Studio (LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY); nothing connects to it.
    Several workers share a project: each task is predicted by one of them. SIGTERM and Ctrl-C end
    it after the tasks in hand, with status 0.

    With --once, the exit status is 1 if tasks failed, or one of several projects could not be
    worked on.
    """
    from shared.settings import changed_environment

    if patience is None:
        patience = ONCE_PATIENCE_SECONDS if once else math.inf
    with changed_environment({"BACKENDS": ",".join(backend)} if backend else {}):
        if _work(list(dict.fromkeys(project)), once, Pace(poll, lease, patience)):
            raise typer.Exit(1)


class Pace(NamedTuple):
    """Seconds: between two looks for tasks, of a lease, and of waiting for Label Studio."""

    poll: float
    lease: float
    patience: float


def _work(projects: list[int], once: bool, pace: Pace) -> bool:
    """Work on projects; return whether tasks failed, where that is to be the exit status."""
    from shared.bulk.project_worker import ProjectWorker
    from shared.bulk.task_lease import LeaseBook
    from shared.bulk.work_loop import WorkLoop
    from shared.label_studio.project import Project
    from shared.pipeline.runtime import reset_runtime, runtime
    from shared.server.logs import configure_logging
    from shared.server.project_plans import ProjectPlans

    settings = runtime().settings
    configure_logging(settings.log_level, settings.log_format)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request
    workers = []
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        stack.callback(reset_runtime)
        plans = ProjectPlans(settings, runtime())
        for number in projects:
            opened = Project(number, settings)
            stack.callback(opened.close)
            leases = LeaseBook(opened, pace.lease)
            stack.callback(leases.close)
            workers.append(ProjectWorker(opened, runtime().pipeline, leases, stop.is_set))
        loop = WorkLoop(
            workers, lambda one: plans.load(one.project), stop, pace.poll, pace.patience
        )
        loop.run(once)
    for worker in workers:
        count = worker.count
        typer.echo(
            f"{worker.project.name}: {count.done:,} tasks predicted, {count.failed:,} failed"
        )
    lost = loop.given_up or any(worker.count.failed for worker in workers)
    return once and not stop.is_set() and bool(lost)


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Inside the block, SIGTERM and Ctrl-C set an event; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
