"""The files of one part: tasks for import, and failures; they appear whole or not at all."""

import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.errors import PrelabelError
from shared.label_studio.json_stream import dump_line

UNFINISHED_SUFFIX = ".unfinished"
FAILURES_FOLDER = "failures"
BUFFER_BYTES = 1 << 18
# A part that has ended so many processes is not begun again.
MAX_ATTEMPTS = 5


def part_path(folder: Path, number: int) -> Path:
    """Return the path of a part's tasks."""
    return folder / f"part-{number:05}.jsonl"


def part_failures_path(folder: Path, number: int) -> Path:
    """Return the path of a part's failures, which is only there if it has any."""
    return folder / FAILURES_FOLDER / f"part-{number:05}.jsonl"


class PartFile:
    """Writes a part. The end of the `with` block puts it in its place, unless there was an error.

    Each attempt has a file of its own, so that several processes may write the same part. One
    that was killed leaves its file: so tasks that end every process are found.
    """

    def __init__(self, folder: Path, number: int) -> None:
        """PrelabelError if a number of processes have ended while they wrote this part."""
        self._path = part_path(folder, number)
        self._failures_path = part_failures_path(folder, number)
        if _count_unfinished(self._path) >= MAX_ATTEMPTS:
            raise PrelabelError(
                f"{self._path.name} was begun {MAX_ATTEMPTS} times, and each time its process"
                " ended; one of its tasks may need more memory than there is"
            )
        self._mark = f".{uuid.uuid4().hex}{UNFINISHED_SUFFIX}"
        self._made = self._path.with_name(self._path.name + self._mark)
        self._tasks = self._made.open("wb", buffering=BUFFER_BYTES)
        self._failures: list[bytes] = []
        self.done = self.size = 0

    def __enter__(self) -> "PartFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._tasks:
                if error is None:
                    self._tasks.flush()
                    os.fsync(self._tasks.fileno())
            if error is None:
                self._place_failures()
                self._made.replace(self._path)
        finally:
            self._made.unlink(missing_ok=True)

    def add_task(self, task: dict[str, Any]) -> None:
        """Write a task."""
        line = dump_line(task)
        self._tasks.write(line)
        self.done += 1
        self.size += len(line)

    def add_failure(self, failure: dict[str, Any]) -> None:
        """Keep a failure until the part is finished."""
        self._failures.append(dump_line(failure))

    def _place_failures(self) -> None:
        """Write the failures before the tasks appear, so that none is lost."""
        if not self._failures:
            self._failures_path.unlink(missing_ok=True)
            return
        self._failures_path.parent.mkdir(exist_ok=True)
        made = self._failures_path.with_name(self._failures_path.name + self._mark)
        made.write_bytes(b"".join(self._failures))
        made.replace(self._failures_path)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left."""
    for file in folder.rglob(f"*{UNFINISHED_SUFFIX}"):
        file.unlink(missing_ok=True)


def _count_unfinished(path: Path) -> int:
    """Return how many attempts at a part have ended with their process."""
    return sum(1 for _ in path.parent.glob(f"{path.name}.*{UNFINISHED_SUFFIX}"))
