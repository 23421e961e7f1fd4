"""What a finished run has written: the tasks that failed in it are predicted again."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import SettingError
from shared.label_studio.import_file import DROPPED_PREFIX, failures_path, read_failures
from shared.label_studio.task_file import TaskEntry, TaskFile
from shared.label_studio.task_sources import Inputs, usable_entry, written_data

# The reason of what could not be read as a task, and has no place in the output.
UNREAD = "bad_task"


class EarlierRun:
    """A finished import file and its failures.

    The failures are kept in `OUT.failed` until they have been predicted again, so that this run
    can be stopped and resumed, too.
    """

    def __init__(self, path: Path) -> None:
        """Read the failures; SettingError if there is no file, or nothing failed in it."""
        self.path = path
        self._kept_failures = _kept_failures(path)
        if not path.is_file():
            raise SettingError(f"--only failed continues a finished run, and {path} is not there")
        if not self._kept_failures.exists():
            if not failures_path(path).exists():
                raise SettingError(f"no task failed in {path}: {failures_path(path)} is not there")
            shutil.copyfile(failures_path(path), self._kept_failures)
        self.numbers: set[int] = set()
        self.task_ids: set[int] = set()
        self._unread: set[int] = set()
        self._dropped: dict[int, list[dict[str, Any]]] = {}
        for failure in read_failures(path, self._kept_failures):
            self._note(failure)
        if not self.numbers:
            self.forget()
            raise SettingError(f"no task failed in {path}: some regions were left out, that is all")
        self._tasks = self._numbered_tasks()
        self._next = next(self._tasks, None)

    def _note(self, failure: dict[str, Any]) -> None:
        number = failure["index"]
        if failure["reason"].startswith(DROPPED_PREFIX):
            self._dropped.setdefault(number, []).append(failure)
            return
        self.numbers.add(number)
        if failure["reason"] == UNREAD:
            self._unread.add(number)
        if isinstance(failure.get("task"), int):
            self.task_ids.add(failure["task"])

    def _numbered_tasks(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the written tasks with their numbers in the input."""
        number = -1
        for entry in TaskFile(str(self.path)):
            number += 1
            while number in self._unread:
                number += 1
            yield number, entry.task

    def attach(self, entry: TaskEntry) -> TaskEntry:
        """Return a usable entry with what was written for it, unless its task had failed.

        Called with ascending numbers. SettingError if the input is another.
        """
        if entry.problem is not None or (task := self._find_task(entry)) is None:
            return entry
        return entry._replace(earlier=(task, self._dropped.get(entry.number, [])))

    def _find_task(self, entry: TaskEntry) -> dict[str, Any] | None:
        """Return what was written for a task that had not failed; None for one that had."""
        while self._next is not None and self._next[0] < entry.number:
            self._next = next(self._tasks, None)
        if entry.number in self._unread:
            return None
        found = self._next[1] if self._next and self._next[0] == entry.number else None
        if found is None or found["data"] != written_data(entry.task):
            raise SettingError(f"{entry} is not what {self.path} was made of")
        return None if entry.number in self.numbers else found

    def forget(self) -> None:
        """Remove the copy of the failures."""
        self._kept_failures.unlink(missing_ok=True)


def _kept_failures(path: Path) -> Path:
    return path.with_name(path.name + ".failed")


class RetriedInputs:
    """Inputs of which only those tasks are predicted that failed in an earlier run."""

    def __init__(self, inputs: Inputs, path: Path) -> None:
        """`path` is the earlier run's output."""
        self.name = inputs.name
        self._inputs = inputs
        self._path = path

    @property
    def fraction(self) -> float | None:
        """The share that has been read."""
        return self._inputs.fraction

    def __iter__(self) -> Iterator[TaskEntry]:
        """Yield all entries; SettingError if the input is not the one of the earlier run."""
        return map(EarlierRun(self._path).attach, map(usable_entry, self._inputs))

    def forget(self) -> None:
        """Remove the copy of the failures: they have been predicted again."""
        _kept_failures(self._path).unlink(missing_ok=True)
