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
from shared.label_studio.task_sources import Inputs


class RawSource(Protocol):
    """Tasks as JSON, one at a time, with the share that has been read."""

    @property
    def fraction(self) -> float | None: ...

    def __iter__(self) -> Iterator[TaskEntry]: ...


class ExportFile:
    """An export file: JSON, JSON-MIN or JSON Lines, gzipped or not."""

    def __init__(self, name: str, config: LabelConfig) -> None:
        """SettingError if the file does not exist."""
        self.name = name
        self._file = TaskFile(name)
        self._config = config

    @property
    def fraction(self) -> float | None:
        """The share that has been read."""
        return self._file.fraction

    def __iter__(self) -> Iterator[TaskEntry]:
        # Several records of JSON-MIN may be one task, so tasks are counted again.
        for number, entry in enumerate(read_json_min(self._file, self._config)):
            yield entry._replace(number=number)


def open_exports(names: Sequence[str], config: LabelConfig) -> Inputs:
    """Chain export files; SettingError if one does not exist, or two are standard input."""
    if names.count("-") > 1:
        raise SettingError('"-" is named twice: standard input can be read only once')
    return Inputs([ExportFile(name, config) for name in names])


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
            task = read_entry(entry, self.reader, self._problems)
            if task is not None:
                yield task


def read_entry(entry: TaskEntry, reader: TaskReader, problems: ProblemLog) -> AnnotatedTask | None:
    """Return the task of an entry; None, and a problem, if it is none."""
    if entry.problem is not None:
        problems.add(entry.problem, entry)
        return None
    try:
        raw = with_common_values(as_task(entry.task))
    except ValueError as error:
        problems.add(str(error), entry)
        return None
    return reader.read(raw, entry.number)
