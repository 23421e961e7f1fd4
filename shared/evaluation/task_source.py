"""Where annotated tasks come from: export files of Label Studio, or a project."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.label_studio.json_min import read_json_min
from shared.label_studio.json_values import with_common_values
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project import Project
from shared.label_studio.task_file import TaskEntry, TaskFile, as_task


class RawSource(Protocol):
    """Tasks as JSON, one at a time, with the share that has been read."""

    @property
    def fraction(self) -> float | None: ...

    def __iter__(self) -> Iterator[TaskEntry]: ...


class ExportFiles:
    """Export files (JSON, JSON-MIN, JSON Lines, gzipped or not), one after the other."""

    def __init__(self, names: Sequence[str], config: LabelConfig) -> None:
        """SettingError if one of the files does not exist."""
        if names.count("-") > 1:
            raise SettingError('"-" is named twice: standard input can be read only once')
        self._files = [TaskFile(name) for name in names]
        self._config = config
        self._passed = 0

    @property
    def fraction(self) -> float | None:
        """The share that has been read; each file counts the same."""
        if self._passed == len(self._files):
            return 1.0
        part = self._files[self._passed].fraction
        return None if part is None else (self._passed + part) / len(self._files)

    def __iter__(self) -> Iterator[TaskEntry]:
        first = 0
        for passed, file in enumerate(self._files):
            self._passed, number = passed, -1
            for number, entry in enumerate(read_json_min(file, self._config)):
                yield entry._replace(number=first + number, source=file.name)
            first += number + 1
        self._passed = len(self._files)


class ProjectTasks:
    """The tasks of a project, read page by page."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @property
    def fraction(self) -> float | None:
        """The share that has been read."""
        return self._project.fraction

    def __iter__(self) -> Iterator[TaskEntry]:
        return self._project.annotated_tasks()


class AnnotatedTasks:
    """The tasks of a source, as `reader` reads them; faulty entries go to `problems`."""

    def __init__(self, source: RawSource, reader: TaskReader, problems: ProblemLog) -> None:
        self._source = source
        self.reader = reader
        self._problems = problems

    @property
    def fraction(self) -> float | None:
        """The share that has been read."""
        return self._source.fraction

    def __iter__(self) -> Iterator[AnnotatedTask]:
        for entry in self._source:
            if entry.problem is not None:
                self._problems.add(entry.problem, entry)
                continue
            task = self._read(entry)
            if task is not None:
                yield task

    def _read(self, entry: TaskEntry) -> AnnotatedTask | None:
        try:
            raw = with_common_values(as_task(entry.task))
        except ValueError as error:
            self._problems.add(str(error), entry)
            return None
        return self.reader.read(raw, entry.number)
