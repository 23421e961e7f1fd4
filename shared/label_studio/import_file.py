"""Import files, written as a journal that survives a killed process."""

import fcntl
import gzip
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from shared.errors import SettingError
from shared.label_studio.json_stream import dump_line, load_line

# How often written tasks are handed to the system, and synced to the disk.
FLUSH_SECONDS, SYNC_SECONDS = 0.2, 5.0
FORMATS = (".json", ".jsonl", ".ndjson")
COPY_BYTES = 1 << 20

# The reasons of regions that were left out begin so: their tasks have not failed.
DROPPED_PREFIX = "dropped_"

# What all tasks of a journal have in common, such as the label config: it must not change.
JournalHeader = dict[str, Any]


class ImportFile:
    """Writes tasks with their predictions in order, and failures to a file beside them.

    `OUT.part` holds the header and then one task a line; only complete lines count.
    `OUT.failures.jsonl` holds the failures. At the end `OUT` is
    built from the journal and replaced in one step: until then an older `OUT` stays as it is.
    """

    def __init__(self, path: Path, head: JournalHeader, resume: bool) -> None:
        """Start, or resume an interrupted run; SettingError if neither is possible."""
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.failures_path = failures_path(path)
        import_format(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.part.exists() and not resume:
                raise SettingError(
                    f"{self.part} is left from an interrupted run: use --resume to continue"
                    " it, or delete it to start over"
                )
            self._tasks = _open_alone(self.part)
            self.done = self._read_journal(head)
            self._failures = self.failures_path.open("ab")
        except OSError as error:
            raise SettingError(f"{path} cannot be written: {error.strerror}") from None
        self._flushed = self._synced = time.monotonic()

    def _read_journal(self, head: JournalHeader) -> int:
        """Return the number of tasks in the journal, which gets its header if it has none."""
        try:
            done = _truncate_journal(self.part, head)
        except BaseException:
            self._tasks.close()
            raise
        if done is None:
            self._tasks.write(dump_line(head))
            self._tasks.flush()
            self.failures_path.unlink(missing_ok=True)
        return done or 0

    def __enter__(self) -> "ImportFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._failures.close()
        self._tasks.close()

    def read_tasks(self, first: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the tasks written so far, starting at the index `first`."""
        self._tasks.flush()
        with self.part.open("rb") as file:
            file.readline()
            for index, line in enumerate(file):
                if index >= first:
                    yield load_line(line)

    def keep_failures(self, until: int) -> None:
        """Remove the failures of the task with index `until` and of later ones, which run again."""
        new = self.failures_path.with_name(self.failures_path.name + ".new")
        with new.open("wb") as file:
            for failure in read_failures(self.path):
                if failure["index"] < until:
                    file.write(dump_line(failure))
        new.replace(self.failures_path)
        self._failures.close()
        self._failures = self.failures_path.open("ab")

    def add_task(self, task: dict[str, Any]) -> None:
        """Write a task."""
        self._tasks.write(dump_line(task))
        self.done += 1
        now = time.monotonic()
        if now - self._flushed > FLUSH_SECONDS:
            self.flush(sync=now - self._synced > SYNC_SECONDS)

    def add_failure(self, failure: dict[str, Any]) -> None:
        """Write a failure immediately, before its task, so that none is lost."""
        self._failures.write(dump_line(failure))
        self._failures.flush()

    def flush(self, sync: bool = False) -> None:
        """Hand what is written to the system, or with `sync` to the disk; failures before tasks."""
        for file in (self._failures, self._tasks):
            file.flush()
            if sync:
                os.fsync(file.fileno())
        self._flushed = time.monotonic()
        self._synced = self._flushed if sync else self._synced

    def finish(self) -> None:
        """Build the import file from the journal; remove the file of failures if it is empty."""
        self.flush(sync=True)
        with self.part.open("rb") as lines:
            lines.readline()
            write_import_file(self.path, lines)
        self.part.unlink()
        if not self.failures_path.stat().st_size:
            self.failures_path.unlink()


def failures_path(path: Path) -> Path:
    """Return the path of an import file's failures."""
    return path.with_name(path.name + ".failures.jsonl")


def read_failures(path: Path, copy: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yield the failures of an import file, or those in a copy of them."""
    with suppress(FileNotFoundError), (copy or failures_path(path)).open("rb") as file:
        for line in file:
            if (failure := parse_whole_line(line)) is not None:
                yield failure


def is_finished(path: Path) -> bool:
    """Return whether an earlier run has finished the file, and none is in progress."""
    return path.exists() and not path.with_name(path.name + ".part").exists()


def write_import_file(path: Path, lines: Iterable[bytes]) -> None:
    """Write tasks, one a line, in the format that the path's name says; replace it in one step."""
    made = path.with_name(path.name + ".new")
    with made.open("wb", COPY_BYTES) as file:
        packed = path.suffix == ".gz"
        target = gzip.GzipFile("", "wb", 6, file, mtime=0) if packed else file
        if import_format(path) == ".json":
            _write_list(lines, target)
        else:
            target.writelines(lines)
        if packed:
            target.close()
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


def has_import_format(path: Path) -> bool:
    """Return whether a path's name says one of the formats, and is no folder for parts."""
    return bool(_named_format(path))


def import_format(path: Path) -> str:
    """Return the format that a path's name says, one of `FORMATS`; SettingError if it says none."""
    if not (kind := _named_format(path)):
        raise SettingError(f"{path} should end with {', '.join(FORMATS)}, or these and .gz")
    return kind


def _named_format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    return kind if kind in FORMATS else ""


def _open_alone(part: Path) -> IO[bytes]:
    """Open a journal, to which no other process writes; SettingError if one does."""
    file = part.open("ab", buffering=COPY_BYTES)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SettingError(f"{part} is being written by another process") from None
    return file


def _truncate_journal(part: Path, head: JournalHeader) -> int | None:
    """Cut a journal after its last complete line and return its number of tasks.

    None if it has not even a header. SettingError if it was started with another header.
    """
    done = -1
    with part.open("r+b") as file:
        end = 0
        for line in file:
            found = parse_whole_line(line)
            if found is None:
                break
            if done < 0:
                check_header(part, found, head)
            done, end = done + 1, end + len(line)
        file.truncate(end)
    return None if done < 0 else done


def parse_whole_line(line: bytes) -> dict[str, Any] | None:
    """Return the line's object; None if the line was cut off or never reached the disk."""
    if not line.endswith(b"\n"):
        return None
    with suppress(ValueError):
        found = load_line(line)
        return found if isinstance(found, dict) else None
    return None


def check_header(part: Path, found: JournalHeader, head: JournalHeader) -> None:
    """Raise SettingError if a journal was begun with another header."""
    changed = [key for key in head if found.get(key) != head[key]]
    if changed:
        was = "; ".join(f"{key} was {found.get(key)}, is {head[key]}" for key in changed)
        raise SettingError(f"{part} was started differently: {was}. Delete it to start over")


def _write_list(lines: Iterable[bytes], target: IO[bytes] | gzip.GzipFile) -> None:
    """Write one task a line, so that the list can be read by people, too."""
    before = b"[\n"
    for line in lines:
        target.write(before + line.removesuffix(b"\n"))
        before = b",\n"
    target.write(b"[]\n" if before == b"[\n" else b"\n]\n")
