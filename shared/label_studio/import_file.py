"""An import file in the making: a journal that survives being killed, the list made at the end."""

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

# Seconds after which what is written goes to the system, and to the disk.
FLUSH_SECONDS, SYNC_SECONDS = 0.2, 5.0
FORMATS = (".json", ".jsonl", ".ndjson")
COPY_BYTES = 1 << 20

# What the journal's tasks have in common, such as the label config: it must not change.
JournalHeader = dict[str, Any]


class ImportFile:
    """Tasks with their predictions, in order, and the failures beside them.

    `OUT.part` holds a line of what `head` says and then one a task; only whole lines of it
    count. `OUT.failures.jsonl` holds the failures. At the end `OUT` is made of the journal and
    takes its name in one step: until then an older `OUT` stays as it is.
    """

    def __init__(self, path: Path, head: JournalHeader, resume: bool) -> None:
        """Begin, or go on where an earlier run stopped; SettingError if that cannot be done."""
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.failures_path = failures_path(path)
        self._format = _format_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.part.exists() and not resume:
                raise SettingError(
                    f"{self.part} is there from an interrupted run: --resume goes on with it;"
                    " delete it to begin anew"
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
        """The tasks written so far, from the one of index `first` on."""
        self._tasks.flush()
        with self.part.open("rb") as file:
            file.readline()
            for index, line in enumerate(file):
                if index >= first:
                    yield load_line(line)

    def keep_failures(self, until: int) -> None:
        """Forget the failures from a task's index on: it will be done again."""
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
        """Write a failure, at once and before its task, so that none is lost."""
        self._failures.write(dump_line(failure))
        self._failures.flush()

    def flush(self, sync: bool = False) -> None:
        """Give what is written to the system; `sync` to the disk. Failures go before tasks."""
        for file in (self._failures, self._tasks):
            file.flush()
            if sync:
                os.fsync(file.fileno())
        self._flushed = time.monotonic()
        self._synced = self._flushed if sync else self._synced

    def finish(self) -> None:
        """Make the file of the journal; without failures there is no file of them."""
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
    """Where the failures of an import file are."""
    return path.with_name(path.name + ".failures.jsonl")


def read_failures(path: Path) -> Iterator[dict[str, Any]]:
    """The failures of an import file."""
    with suppress(FileNotFoundError), failures_path(path).open("rb") as file:
        for line in file:
            if (failure := _parse_whole_line(line)) is not None:
                yield failure


def is_finished(path: Path) -> bool:
    """Whether there is a file that an earlier run has finished, and none in the making."""
    return path.exists() and not path.with_name(path.name + ".part").exists()


def _format_of(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if kind not in FORMATS:
        raise SettingError(f"{path} should end with {', '.join(FORMATS)}, or these and .gz")
    return kind


def _truncate_journal(part: Path, head: JournalHeader) -> int:
    """Cut a journal after its last whole line; how many tasks it has. SettingError if not ours."""
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
    """The line's object; None if it was cut off, or never reached the disk."""
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
        raise SettingError(f"{part} was begun otherwise: {was}. Delete it to begin anew")


def _copy_lines(lines: BinaryIO, target: IO[bytes] | gzip.GzipFile) -> None:
    while block := lines.read(COPY_BYTES):
        target.write(block)


def _write_list(lines: BinaryIO, target: IO[bytes] | gzip.GzipFile) -> None:
    """One task a line, so that the list can be looked through, too."""
    before = b"[\n"
    for line in lines:
        target.write(before + line.removesuffix(b"\n"))
        before = b",\n"
    target.write(b"[]\n" if before == b"[\n" else b"\n]\n")
