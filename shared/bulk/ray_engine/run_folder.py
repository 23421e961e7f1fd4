"""The folder of a run: finished parts and a journal of them, until the output is made of both."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.bulk.ray_engine.part_file import (
    FAILURES_FOLDER,
    part_failures_path,
    part_path,
    remove_unfinished,
)
from shared.errors import PrelabelError, SettingError
from shared.jobs.file_lock import FileLock
from shared.label_studio.import_file import (
    JournalHeader,
    check_header,
    failures_path,
    has_import_format,
    parse_whole_line,
    write_import_file,
)
from shared.label_studio.json_stream import dump_line

JOURNAL = "run.jsonl"
SYNC_SECONDS = 5.0


@dataclass(frozen=True)
class FinishedPart:
    """A part that is done: its tasks, the bytes of its file, and the digest of its input.

    `tasks` are those written, without the entries of the input that are none.
    """

    number: int
    tasks: int
    size: int
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return its line of the journal."""
        return {
            "part": self.number,
            "tasks": self.tasks,
            "bytes": self.size,
            "input": self.digest,
        }

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> "FinishedPart":
        """Read a line of the journal."""
        return cls(line["part"], line["tasks"], line["bytes"], line["input"])


class RunFolder:
    """Where a run keeps its parts: the output itself if that is a folder, else `OUT.parts`.

    `run.jsonl` holds the header and a line for each finished part, in the order of their ends; it
    is there until the run is finished. One process at a time may have the folder.
    """

    def __init__(self, output: Path, head: JournalHeader, resume: bool) -> None:
        """Start, or resume an interrupted run; SettingError if neither is possible."""
        self.output = output
        self.is_merged = has_import_format(output)
        self.path = (
            output.with_name(output.name + ".parts") if self.is_merged else output
        ).resolve()
        self._journal_path = self.path / JOURNAL
        self.parts: dict[int, FinishedPart] = {}
        self._stack = ExitStack()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._refuse_other_runs(resume)
            remove_unfinished(self.path)
            self._read_journal(head)
            self._journal = self._stack.enter_context(self._journal_path.open("ab"))
            if not self._journal.tell():
                self._write_line(head)
        except OSError as error:
            self._stack.close()
            raise SettingError(f"{output} cannot be written: {error.strerror}") from None
        except BaseException:
            self._stack.close()
            raise
        self._synced = time.monotonic()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not self.parts:
            self._leave_nothing()
        self._stack.close()

    @property
    def done(self) -> int:
        """The number of tasks in the finished parts."""
        return sum(part.tasks for part in self.parts.values())

    @property
    def digests(self) -> dict[int, str]:
        """The inputs of the finished parts, by their numbers."""
        return {number: part.digest for number, part in self.parts.items()}

    def changed_input(self, number: int) -> SettingError:
        """Return the error that says that a finished part was made of another input."""
        return SettingError(
            f"The input is not what {self._journal_path} was begun with: part {number} has other"
            f" tasks. Delete {self.path} to begin anew"
        )

    def add(self, part: FinishedPart) -> None:
        """Take note of a finished part, whose files are in their place."""
        self.parts[part.number] = part
        self._write_line(part.to_json())
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._journal.fileno())
            self._synced = time.monotonic()

    def finish(self, count: int) -> None:
        """Make the output of `count` parts; PrelabelError if it lacks one."""
        self._check_parts(count)
        _write_failures(self._failures(count), failures_path(self.output))
        if self.is_merged:
            write_import_file(self.output, self._lines(count))
            shutil.rmtree(self.path)
        else:
            remove_unfinished(self.path)
            shutil.rmtree(self.path / FAILURES_FOLDER, ignore_errors=True)
            self._journal_path.unlink()

    def _lock(self) -> None:
        lock = FileLock(self.path)
        if not lock.acquire():
            raise SettingError(
                f"{self.output} is being written by another run: wait for its end, or name"
                " another output"
            )
        self._stack.callback(lock.release)

    def _leave_nothing(self) -> None:
        """Remove the folder if nothing but the journal is in it: there is nothing to continue."""
        if list(self.path.iterdir()) == [self._journal_path]:
            self._journal_path.unlink()
            with suppress(OSError):  # an actor may still begin a part
                self.path.rmdir()

    def _refuse_other_runs(self, resume: bool) -> None:
        if self._journal_path.exists():
            if not resume:
                raise SettingError(
                    f"{self.path} is left from an interrupted run: use --resume to continue it,"
                    " or delete it to start over"
                )
        elif any(self.path.iterdir()):
            raise SettingError(f"{self.path} is not empty: delete it, or name another output")
        if self.is_merged and self.output.with_name(self.output.name + ".part").exists():
            raise SettingError(
                f"{self.output}.part is left from an interrupted run of the local engine: continue"
                " it there, or delete it to start over"
            )

    def _read_journal(self, head: JournalHeader) -> None:
        """Read which parts are finished; cut off a line that is not whole."""
        if not self._journal_path.exists():
            return
        with self._journal_path.open("r+b") as file:
            end = 0
            for line in file:
                found = parse_whole_line(line)
                if found is None:
                    break
                if end:
                    self._take_known(FinishedPart.from_json(found))
                else:
                    check_header(self._journal_path, found, head)
                end += len(line)
            file.truncate(end)

    def _take_known(self, part: FinishedPart) -> None:
        """Take a part of an earlier run, unless its file is not the one that was written."""
        if _size(part_path(self.path, part.number)) == part.size:
            self.parts[part.number] = part

    def _write_line(self, value: dict[str, Any]) -> None:
        self._journal.write(dump_line(value))
        self._journal.flush()

    def _check_parts(self, count: int) -> None:
        if any(number >= count for number in self.parts):
            raise self.changed_input(count)
        missing = [number for number in range(count) if number not in self.parts]
        if missing:
            names = ", ".join(map(str, missing[:5])) + (", …" if missing[5:] else "")
            raise PrelabelError(f"{self.path} lacks parts ({names}); continue with --resume")
        for number, part in self.parts.items():
            path = part_path(self.path, number)
            if (size := _size(path)) != part.size:
                found = "is missing" if size is None else f"has {size:,} bytes"
                raise PrelabelError(
                    f"{path} {found}, and was written with {part.size:,}; continue with --resume"
                )

    def _lines(self, count: int) -> Iterator[bytes]:
        return _read_lines(part_path(self.path, number) for number in range(count))

    def _failures(self, count: int) -> Iterator[bytes]:
        return _read_lines(part_failures_path(self.path, number) for number in range(count))


def is_run_finished(output: Path) -> bool:
    """Return whether an earlier run has finished the output, and none is in progress."""
    if has_import_format(output):
        return output.exists() and not Path(f"{output}.parts").exists()
    return part_path(output, 0).exists() and not (output / JOURNAL).exists()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _read_lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                yield from file


def _write_failures(lines: Iterator[bytes], path: Path) -> None:
    """Write the failures of all parts into one file, which is only there if it has any."""
    path.unlink(missing_ok=True)
    first = next(lines, None)
    if first is None:
        return
    made = path.with_name(path.name + ".new")
    with made.open("wb") as file:
        file.write(first)
        file.writelines(lines)
    made.replace(path)
