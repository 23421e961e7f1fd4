"""`prelabel worker`: runs the jobs of QUEUE_URL on this machine."""

import typer

from shared.cli import app


@app.command()
def worker(
    device: str = typer.Option(
        None, help="Device for the jobs: cpu, cuda, cuda:N (default: DEVICE, or auto)"
    ),
    burst: bool = typer.Option(False, "--burst", help="End when no job waits any more"),
) -> None:
    """Run the trainings of the queue QUEUE_URL. TRAIN_DIR is the servers' folder, shared with them.

    Start one on each machine and for each device that is to train.
    """
    from shared.errors import redact_url
    from shared.jobs.queue_worker import serve_queues
    from shared.jobs.rq_queue import served_queues
    from shared.server.logs import configure_logging
    from shared.settings import Settings, changed_environment, read_settings

    with changed_environment({"DEVICE": device} if device else {}):
        settings = read_settings(Settings)
        configure_logging(settings.log_level, settings.log_format)
        if settings.queue_url is not None:
            queues = ", ".join(served_queues(settings.device))
            typer.echo(f"prelabel worker: {queues} of {redact_url(settings.queue_url)}")
        serve_queues(settings, until_empty=burst)
