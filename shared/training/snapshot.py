"""The annotated tasks of a training as they were when it began, one a line of a file.

A project is read once, however many control tags are trained, and what is annotated meanwhile does
not change what is learned or compared.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from shared.backend.training import TrainingError
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.evaluation.task_source import AnnotatedTasks, RawSource
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.json_values import with_common_values
from shared.label_studio.task import describe_type
from shared.label_studio.task_file import TaskEntry, as_task

# Called with the number of tasks that were read.
Report = Callable[[int], None]


class Snapshot:
    """A file of tasks with their annotations; each task has an id of its own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.read_tasks = self.annotated_tasks = self.skipped_tasks = 0
        self._ids: set[str] = set()

    @property
    def fraction(self) -> float | None:
        """The share that has been read: it is read faster than anyone would look."""
        return None

    def take(self, source: RawSource, problems: ProblemLog, report: Report) -> None:
        """Write the annotated tasks of a source; TrainingError if there are none."""
        with self._file.open("wb") as file:
            for entry in source:
                self.read_tasks += 1
                if entry.problem is not None:
                    problems.add(entry.problem, entry)
                else:
                    self._add(entry, file, problems)
                report(self.read_tasks)
        self._check_any()

    def _add(self, entry: TaskEntry, file: BinaryIO, problems: ProblemLog) -> None:
        try:
            raw = with_common_values(as_task(entry.task))
        except ValueError as error:
            problems.add(str(error), entry)
            return
        if not isinstance(raw, Mapping):
            problems.add(f"a task is {describe_type(raw)}, expected an object", entry)
            return
        annotations = raw.get("annotations")
        if not isinstance(annotations, list) or not annotations:
            return
        if all(isinstance(one, Mapping) and one.get("was_cancelled") for one in annotations):
            self.skipped_tasks += 1
            return
        self.annotated_tasks += 1
        own = {"id": self._own_id(raw), "data": raw.get("data"), "annotations": annotations}
        file.write(dump_line(own))

    def _own_id(self, raw: Mapping[str, Any]) -> Any:
        """Return a task's id, or its number where it has none or another task has the same."""
        found = raw.get("id")
        if found is None or str(found) in self._ids:
            return f"number {self.read_tasks - 1}"
        self._ids.add(str(found))
        return found

    def _check_any(self) -> None:
        if self.annotated_tasks:
            return
        if not self.read_tasks:
            raise TrainingError("there are no tasks to learn from")
        what = f"none of {self.read_tasks:,} tasks has an annotation"
        if self.skipped_tasks:
            what += f" that counts ({self.skipped_tasks:,} were skipped)"
        raise TrainingError(f"{what}: annotate some, submit them, and start the training again")

    def __iter__(self) -> Iterator[TaskEntry]:
        """Yield the tasks."""
        with self._file.open("rb") as file:
            for number, line in enumerate(file):
                yield TaskEntry(number, None, load_line(line))

    def read(self, reader: TaskReader, problems: ProblemLog) -> Iterator[AnnotatedTask]:
        """Yield the tasks as `reader` reads them."""
        yield from AnnotatedTasks(self, reader, problems)
