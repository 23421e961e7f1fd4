"""Import files, written as a journal that survives a killed process."""

import gzip
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO

from shared.errors import SettingError
from shared.label_studio.json_stream import dump_line, load_line

# How often written tasks are handed to the system, and synced to the disk.
FLUSH_SECONDS, SYNC_SECONDS = 0.2, 5.0
FORMATS = (".json", ".jsonl", ".ndjson")
COPY_BYTES = 1 << 20

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
        self._format = _format_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.part.exists() and not resume:
                raise SettingError(
                    f"{self.part} is left from an interrupted run: use --resume to continue"
                    " it, or delete it to start over"
                )
            self.done = _truncate_journal(self.part, head) if self.part.exists() else 0
            if not self.part.exists():
                self.part.write_bytes(dump_line(head))
                self.failures_path.unlink(missing_ok=True)
            self._tasks = self.part.open("ab", buffering=COPY_BYTES)
            self._failures = self.failures_path.open("ab")
        except OSError as error:
            raise SettingError(f"{path} cannot be written: {error.strerror}") from None
        self._flushed = self._synced = time.monotonic()

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
        made = self.path.with_name(self.path.name + ".new")
        with self.part.open("rb") as lines, made.open("wb") as file:
            lines.readline()
            packed = self.path.suffix == ".gz"
            target = gzip.GzipFile("", "wb", 6, file, mtime=0) if packed else file
            _copy_lines(lines, target) if self._format != ".json" else _write_list(lines, target)
            if packed:
                target.close()
            file.flush()
            os.fsync(file.fileno())
        made.replace(self.path)
        self.part.unlink()
        if not self.failures_path.stat().st_size:
            self.failures_path.unlink()


def failures_path(path: Path) -> Path:
    """Return the path of an import file's failures."""
    return path.with_name(path.name + ".failures.jsonl")


def read_failures(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the failures of an import file."""
    with suppress(FileNotFoundError), failures_path(path).open("rb") as file:
        for line in file:
            if (failure := _parse_whole_line(line)) is not None:
                yield failure


def is_finished(path: Path) -> bool:
    """Return whether an earlier run has finished the file, and none is in progress."""
    return path.exists() and not path.with_name(path.name + ".part").exists()


def _format_of(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if kind not in FORMATS:
        raise SettingError(f"{path} should end with {', '.join(FORMATS)}, or these and .gz")
    return kind


def _truncate_journal(part: Path, head: JournalHeader) -> int:
    """Cut a journal after its last complete line and return its number of tasks.

    SettingError if it was started with another header.
    """
    done = -1
    with part.open("r+b") as file:
        end = 0
        for line in file:
            found = _parse_whole_line(line)
            if found is None:
                break
            if done < 0:
                _check_header(part, found, head)
            done, end = done + 1, end + len(line)
        file.truncate(end)
    if done < 0:
        part.unlink()
    return max(done, 0)


def _parse_whole_line(line: bytes) -> dict[str, Any] | None:
    """Return the line's object; None if the line was cut off or never reached the disk."""
    if not line.endswith(b"\n"):
        return None
    with suppress(ValueError):
        found = load_line(line)
        return found if isinstance(found, dict) else None
    return None


def _check_header(part: Path, found: JournalHeader, head: JournalHeader) -> None:
    changed = [key for key in head if found.get(key) != head[key]]
    if changed:
        was = "; ".join(f"{key} was {found.get(key)}, is {head[key]}" for key in changed)
        raise SettingError(f"{part} was started differently: {was}. Delete it to start over")


def _copy_lines(lines: BinaryIO, target: IO[bytes] | gzip.GzipFile) -> None:
    while block := lines.read(COPY_BYTES):
        target.write(block)


def _write_list(lines: BinaryIO, target: IO[bytes] | gzip.GzipFile) -> None:
    """Write one task a line, so that the list can be read by people, too."""
    before = b"[\n"
    for line in lines:
        target.write(before + line.removesuffix(b"\n"))
        before = b",\n"
    target.write(b"[]\n" if before == b"[\n" else b"\n]\n")
