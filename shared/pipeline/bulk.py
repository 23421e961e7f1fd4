"""Predicts all tasks of a source into an import file: once each, however often it is stopped."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import tee
from typing import Any, Protocol

from shared.errors import SettingError
from shared.label_studio.import_file import ImportFile
from shared.label_studio.import_filter import make_importable
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.project import Upload
from shared.label_studio.task_file import TaskEntry, as_task
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runner import Pipeline


class Source(Protocol):
    """Where tasks come from: a file, a folder, a project."""

    name: str

    @property
    def fraction(self) -> float | None:
        """The share that has been read, from 0 to 1; None if that is not known."""

    def __iter__(self) -> Iterator[TaskEntry]: ...


class ResumableSource(Source, Protocol):
    """A source that can continue after the tasks that an import file has."""

    def resume(self, file: ImportFile) -> Iterator[TaskEntry]:
        """Return the entries after those in the file, whose later failures are removed."""


class Inputs:
    """Chains several sources."""

    name = "the inputs"

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._passed = 0

    @property
    def fraction(self) -> float | None:
        """The share that has been read; each source counts the same."""
        if self._passed == len(self._sources):
            return 1.0
        part = self._sources[self._passed].fraction
        return None if part is None else (self._passed + part) / len(self._sources)

    def __iter__(self) -> Iterator[TaskEntry]:
        first = 0
        for passed, source in enumerate(self._sources):
            self._passed, index = passed, -1
            for entry in source:
                index = entry.number
                yield entry._replace(number=first + index, source=source.name)
            first += index + 1
        self._passed = len(self._sources)

    def resume(self, file: ImportFile) -> Iterator[TaskEntry]:
        """Return the entries after those in the file; SettingError if the file has other tasks."""
        entries, last = map(_usable, self), -1
        for task in file.read_tasks():
            entry = next((entry for entry in entries if entry.problem is None), None)
            if entry is None or _data(entry.task) != task["data"]:
                place = str(entry) if entry else "the input, which ends here,"
                raise SettingError(
                    f"{place} is not what {file.part} was begun with; delete it to begin anew"
                )
            last = entry.number
        file.keep_failures(until=last + 1)
        return entries


@dataclass
class BulkPrediction:
    """Gives each task one prediction of each plan, in the order of the plans.

    `report` is called for each task of this run with their number, those that failed included.
    """

    pipeline: Pipeline
    source: ResumableSource
    plans: Sequence[PredictionPlan]
    file: ImportFile
    push: Upload | None = None
    report: Callable[[int], None] = lambda done: None
    left_out: Counter[str] = field(default_factory=Counter, init=False)
    """Counts what was left out of tasks because an import refuses it: see `import_filter`."""

    def run(self) -> None:
        """Predict the tasks that are left, and finish the file."""
        entries = self.source.resume(self.file)
        versions = [plan.version() for plan in self.plans]
        ahead, entries = tee(entries)
        with ExitStack() as stack:
            streams = [stack.enter_context(closing(s)) for s in self._streams(ahead)]
            for done, entry in enumerate(entries, 1):
                if entry.problem is not None:
                    self._fail(entry, "input", "bad_task", entry.problem)
                else:
                    self._write(entry, [next(stream) for stream in streams], versions)
                self.report(done)
        if self.push is not None:
            self.push.send_batches(everything=True)
        self.file.finish()
        if self.push is not None:
            self.push.forget_progress()

    def _streams(self, entries: Iterator[TaskEntry]) -> list[Generator[TaskOutcome, None, None]]:
        """Return the outcomes of each plan for the same tasks."""
        good = (entry.task for entry in entries if entry.problem is None)
        copies = tee(good, len(self.plans))
        return [self.pipeline.run(plan, own) for plan, own in zip(self.plans, copies, strict=True)]

    def _write(self, entry: TaskEntry, outcomes: list[TaskOutcome], versions: list[str]) -> None:
        for plan, outcome in zip(self.plans, outcomes, strict=True):
            names = plan.backend_names
            if outcome.error is not None:
                self._fail(entry, names, outcome.error.reason, str(outcome.error))
            elif outcome.prediction is not None:
                for finding in outcome.prediction.dropped:
                    self._fail(entry, names, f"dropped_{finding.rule}", finding.message)
        task = make_importable(entry.task, self.left_out)
        before = task.get("predictions", ())
        kept = [other for other in before if other.get("model_version") not in versions]
        ours = [outcome.prediction.to_json() for outcome in outcomes if outcome.prediction]
        self.file.add_task({**task, "predictions": [*kept, *ours]})
        if self.push is not None:
            self.push.send_batches()

    def _fail(self, entry: TaskEntry, backend: str, reason: str, message: str) -> None:
        task = entry.task.get("id") if entry.task is not None else None
        self.file.add_failure(
            {
                "index": entry.number,
                "source": entry.source or self.source.name,
                "line": entry.line,
                "task": task,
                "backend": backend,
                "reason": reason,
                "message": message,
            }
        )


def _usable(entry: TaskEntry) -> TaskEntry:
    """Return the entry with its task as it will be written, or with the reason why it cannot be."""
    if entry.problem is not None:
        return entry
    task = as_task(entry.task)
    problem = None
    if not isinstance(task, dict):
        problem = "A task should be an object"
    elif not isinstance(task.get("data"), dict):
        problem = 'A task should have an object under "data"'
    elif not isinstance(task.get("predictions") or [], list):
        problem = 'A task\'s "predictions" should be a list'
    return entry._replace(task=None if problem else task, problem=problem)


def _data(task: dict[str, Any]) -> Any:
    """Return a task's data as the file would give it back."""
    return load_line(dump_line(task["data"]))
