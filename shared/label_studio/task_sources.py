"""Where tasks come from: files, folders and projects, chained, and continued where a run ended."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from shared.errors import SettingError
from shared.label_studio.import_file import ImportFile
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.task_choice import Wanted, sample
from shared.label_studio.task_file import TaskEntry, as_task


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
    """Chains several sources; of their tasks those that are `wanted`, and `size` of these."""

    name = "the inputs"

    def __init__(
        self, sources: Sequence[Source], wanted: Wanted | None = None, size: int | None = None
    ) -> None:
        self.sources = sources
        self.wanted = wanted
        self.size = size
        self._passed = 0

    @property
    def fraction(self) -> float | None:
        """The share that has been read; each source counts the same."""
        if self._passed == len(self.sources):
            return 1.0
        part = self.sources[self._passed].fraction
        return None if part is None else (self._passed + part) / len(self.sources)

    def __iter__(self) -> Iterator[TaskEntry]:
        entries = self._read()
        if self.wanted is not None:
            entries = filter(self.wanted, entries)
        if self.size is not None:
            entries = iter(sample(entries, self.size, lambda entry: entry.number))
        return entries

    def _read(self) -> Iterator[TaskEntry]:
        first = 0
        for passed, source in enumerate(self.sources):
            self._passed, index = passed, -1
            for entry in source:
                index = entry.number
                yield entry._replace(number=first + index, source=entry.source or source.name)
            first += index + 1
        self._passed = len(self.sources)

    def resume(self, file: ImportFile) -> Iterator[TaskEntry]:
        """Return the entries after those in the file; SettingError if the file has other tasks."""
        entries, last = map(usable_entry, self), -1
        for task in file.read_tasks():
            entry = next((entry for entry in entries if entry.problem is None), None)
            if entry is None or written_data(entry.task) != task["data"]:
                place = str(entry) if entry else "the input, which ends here,"
                raise SettingError(
                    f"{place} is not what {file.part} was begun with; delete it to begin anew"
                )
            last = entry.number
        file.keep_failures(until=last + 1)
        return entries


def usable_entry(entry: TaskEntry) -> TaskEntry:
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


def written_data(task: dict[str, Any]) -> Any:
    """Return a task's data as the file would give it back."""
    return load_line(dump_line(task["data"]))
