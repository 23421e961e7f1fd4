"""Predicts all tasks of a source into an import file: once each, however often it is stopped."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice, tee
from typing import Any, Protocol

from shared.label_studio.earlier_run import UNREAD, EarlierRun
from shared.label_studio.import_file import DROPPED_PREFIX, ImportFile
from shared.label_studio.import_filter import make_importable
from shared.label_studio.model_version import find_superseded
from shared.label_studio.task_file import TaskEntry
from shared.label_studio.task_sources import ResumableSource
from shared.label_studio.upload import Upload
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runner import Pipeline

# Tasks of an earlier run that are held at once.
CHUNK_TASKS = 2000


class TaskWriter(Protocol):
    """Where predicted tasks and failures are written, such as an import file."""

    def add_task(self, task: dict[str, Any]) -> None:
        """Write a task with its predictions."""

    def add_failure(self, failure: dict[str, Any]) -> None:
        """Write a failure of the task that is written next, or of one that cannot be read."""


@dataclass
class EntryPrediction:
    """Gives each task one prediction of each plan, in the order of the plans, and writes it.

    `default_source` names the source of entries that name none.
    """

    pipeline: Pipeline
    plans: Sequence[PredictionPlan]
    writer: TaskWriter
    default_source: str = ""
    replaces: bool = False
    """Whether predictions of older versions are left out, see `find_superseded`."""
    left_out: Counter[str] = field(default_factory=Counter, init=False)
    """Counts what was left out of tasks because an import refuses it: see `import_filter`."""

    def run(self, entries: Iterator[TaskEntry]) -> Generator[int, None, None]:
        """Predict and write the tasks in order; yield after each the number of those done.

        Those that failed are included, and those that are written as an earlier run has left them.
        Close the iterator to stop early.
        """
        versions = [plan.version() for plan in self.plans]
        ahead, entries = tee(entries)
        with ExitStack() as stack:
            streams = [stack.enter_context(closing(s)) for s in self._streams(ahead)]
            for done, entry in enumerate(entries, 1):
                if entry.problem is not None:
                    self._fail(entry, "input", UNREAD, entry.problem)
                elif entry.earlier is not None:
                    self._write_earlier(*entry.earlier)
                else:
                    self._write(entry, [next(stream) for stream in streams], versions)
                yield done

    def _streams(self, entries: Iterator[TaskEntry]) -> list[Generator[TaskOutcome, None, None]]:
        """Return the outcomes of each plan for the same tasks."""
        good = (one.task for one in entries if one.problem is None and one.earlier is None)
        copies = tee(good, len(self.plans))
        return [self.pipeline.run(plan, own) for plan, own in zip(self.plans, copies, strict=True)]

    def _write_earlier(self, task: dict[str, Any], failures: Sequence[dict[str, Any]]) -> None:
        for failure in failures:
            self.writer.add_failure(failure)
        self.writer.add_task(task)

    def _write(self, entry: TaskEntry, outcomes: list[TaskOutcome], versions: list[str]) -> None:
        for plan, outcome in zip(self.plans, outcomes, strict=True):
            names = plan.backend_names
            if outcome.error is not None:
                self._fail(entry, names, outcome.error.reason, str(outcome.error))
            elif outcome.prediction is not None:
                for finding in outcome.prediction.dropped:
                    self._fail(entry, names, DROPPED_PREFIX + finding.rule, finding.message)
        task = make_importable(entry.task, self.left_out)
        before = task.get("predictions", ())
        kept = [other for other in before if not self._is_replaced(other, versions)]
        ours = [outcome.prediction.to_json() for outcome in outcomes if outcome.prediction]
        self.writer.add_task({**task, "predictions": [*kept, *ours]})

    def _is_replaced(self, prediction: dict[str, Any], versions: list[str]) -> bool:
        version = str(prediction.get("model_version"))
        return version in versions or (self.replaces and bool(find_superseded([version], versions)))

    def _fail(self, entry: TaskEntry, backend: str, reason: str, message: str) -> None:
        task = entry.task.get("id") if entry.task is not None else None
        self.writer.add_failure(
            {
                "index": entry.number,
                "source": entry.source or self.default_source,
                "line": entry.line,
                "task": task,
                "backend": backend,
                "reason": reason,
                "message": message,
            }
        )


@dataclass
class BulkPrediction:
    """Predicts the tasks of a source that are left, and finishes the file.

    `report` is called for each task of this run with their number, those that failed included.
    """

    pipeline: Pipeline
    source: ResumableSource
    plans: Sequence[PredictionPlan]
    file: ImportFile
    push: Upload | None = None
    replaces: bool = False
    earlier: EarlierRun | None = None
    """The run whose failed tasks alone are predicted; the others are taken from it."""
    report: Callable[[int], None] = lambda done: None
    left_out: Counter[str] = field(default_factory=Counter, init=False)
    """Counts what was left out of tasks because an import refuses it: see `import_filter`."""

    def run(self) -> None:
        """Predict the tasks that are left, and finish the file."""
        work = EntryPrediction(
            self.pipeline, self.plans, self.file, self.source.name, self.replaces
        )
        self.left_out = work.left_out
        entries = self.source.resume(self.file)
        for done, _ in enumerate(self._steps(work, entries), 1):
            if self.push is not None:
                self.push.send_batches()
            self.report(done)
        if self.push is not None:
            self.push.send_batches(everything=True)
        self.file.finish()
        if self.earlier is not None:
            self.earlier.forget()
        if self.push is not None:
            self.push.forget_progress()

    def _steps(self, work: EntryPrediction, entries: Iterator[TaskEntry]) -> Iterator[int]:
        """Yield a number after each task, whether predicted or taken from the earlier run."""
        if self.earlier is None:
            chunks = iter([entries])
        else:
            # Reading ahead for the models would go on to the next task that had failed.
            chunks = _divide(map(self.earlier.attach, entries))
        for chunk in chunks:
            with closing(work.run(chunk)) as steps:
                yield from steps


def _divide(entries: Iterator[TaskEntry]) -> Iterator[Iterator[TaskEntry]]:
    while chunk := list(islice(entries, CHUNK_TASKS)):
        yield iter(chunk)
