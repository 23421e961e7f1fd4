"""How long a run will take, and how large its output will be: by predicting a few of its tasks."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from shared.label_studio.json_stream import dump_line
from shared.label_studio.task_choice import sample
from shared.label_studio.task_file import TaskEntry
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runner import Pipeline

# So many tasks are predicted at most, in about so many seconds, after so many that warm the models.
SAMPLE_TASKS, SAMPLE_SECONDS, WARMING_TASKS = 256, 10.0, 8


@dataclass(frozen=True)
class Estimate:
    """What a run would be: `tasks` in `seconds` with `output_bytes`, by `tried` tasks of it.

    `unreadable` are entries that are no tasks; `failures` are those of the tasks tried.
    """

    tasks: int
    unreadable: int
    tried: int
    failures: tuple[str, ...]
    seconds: float
    output_bytes: float


def estimate_run(
    pipeline: Pipeline, entries: Iterable[TaskEntry], plans: Sequence[PredictionPlan]
) -> Estimate:
    """Return what a run over the entries would take; reads all of them, and predicts some."""
    counted = _Counted(entries)
    chosen = sample(counted, SAMPLE_TASKS + WARMING_TASKS, lambda entry: entry.number)
    tasks = [entry.task for entry in chosen]
    warming = tasks[:WARMING_TASKS] if len(tasks) > 2 * WARMING_TASKS else []
    for plan in plans:
        _predict(pipeline, plan, warming, time.monotonic() + SAMPLE_SECONDS)
    rest = tasks[len(warming) :]
    seconds, size, failures = (
        0.0,
        sum(len(dump_line(task)) for task in rest) / max(len(rest), 1),
        [],
    )
    tried = len(rest)
    for plan in plans:
        start = time.monotonic()
        outcomes = _predict(pipeline, plan, rest, start + SAMPLE_SECONDS / len(plans))
        tried = min(tried, len(outcomes))
        seconds += (time.monotonic() - start) / max(len(outcomes), 1)
        found = [one.prediction.to_json() for one in outcomes if one.prediction is not None]
        size += sum(len(dump_line(one)) for one in found) / max(len(outcomes), 1)
        failures += [str(one.error) for one in outcomes if one.error is not None]
    total = counted.readable
    return Estimate(
        total, counted.unreadable, tried, tuple(failures), seconds * total, size * total
    )


def _predict(
    pipeline: Pipeline, plan: PredictionPlan, tasks: Sequence[Any], until: float
) -> list[TaskOutcome]:
    """Predict tasks in the time there is; return the outcomes, at least one."""
    outcomes: list[TaskOutcome] = []
    with closing(pipeline.run(plan, tasks)) as stream:
        for outcome in stream:
            outcomes.append(outcome)
            if time.monotonic() > until:
                break
    return outcomes


class _Counted:
    """Yields the entries that are tasks, and counts them and the others."""

    def __init__(self, entries: Iterable[TaskEntry]) -> None:
        self._entries = entries
        self.readable = self.unreadable = 0

    def __iter__(self) -> Iterator[TaskEntry]:
        for entry in self._entries:
            if entry.problem is None:
                self.readable += 1
                yield entry
            else:
                self.unreadable += 1
