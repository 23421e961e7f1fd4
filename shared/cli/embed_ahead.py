"""`prelabel predict --embeddings`: images are embedded before anybody clicks on them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import typer

from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.cli.predict_inputs import Options
    from shared.label_studio.task_file import TaskEntry
    from shared.pipeline.plan import PredictionPlan

# Reasons that are printed at the end.
MAX_LISTED_REASONS = 10


def embed_images(options: "Options") -> bool:
    """Embed the images of all tasks that are not embedded yet; return whether some failed."""
    from shared.cli.predict_inputs import open_run
    from shared.cli.progress import Meter, format_count, format_duration, format_rate
    from shared.label_studio.task_sources import usable_entry

    run = open_run(options)
    plans = [ready for plan in run.plans if (ready := plan.for_preparation()).steps]
    if not plans:
        raise SettingError(
            "--embeddings: no model answers clicks in this label config; for segment, set"
            ' SEGMENT_MODEL and write a KeyPointLabels with smart="true" beside a BrushLabels'
        )
    failures: Counter[str] = Counter()
    done = 0
    with Meter(run.source, "embed") as meter:
        for done, reasons in enumerate(_prepare(plans, map(usable_entry, run.source)), 1):
            failures.update(reasons)
            meter.report_done(done)
        seconds = meter.seconds
    failed = sum(failures.values())
    rate = done / max(seconds, 1e-3)
    tasks = format_count(done - failed)
    typer.echo(
        f"{tasks} ready for clicks in {format_duration(seconds)}, {format_rate(rate)} per second"
    )
    for message, count in failures.most_common(MAX_LISTED_REASONS):
        typer.echo(f"{count:,} failed: {message}", err=True)
    return failed > 0


def _prepare(
    plans: "Sequence[PredictionPlan]", entries: "Iterator[TaskEntry]"
) -> Iterator[list[str]]:
    """Yield for each task why it could not be prepared: nothing if it could."""
    from itertools import tee

    from shared.pipeline.runtime import runtime

    def tasks_of(own: "Iterator[TaskEntry]") -> Iterator[Any]:
        return (entry.task for entry in own if entry.problem is None)

    entries, *copies = tee(entries, len(plans) + 1)
    pipeline = runtime().pipeline
    streams = [pipeline.run(plan, tasks_of(own)) for plan, own in zip(plans, copies, strict=True)]
    with closing(streams[0]):
        for entry in entries:
            if entry.problem is not None:
                yield [entry.problem]
                continue
            errors = [outcome.error for outcome in map(next, streams)]
            yield [str(error) for error in errors if error is not None][:1]
