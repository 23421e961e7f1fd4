"""Files of tasks, read task by task: a JSON list, an object, JSON Lines, or a table."""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple, cast

from shared.errors import SettingError
from shared.label_studio.json_stream import JsonStream, JsonSyntaxError, load_line
from shared.media.object_address import parse_place
from shared.media.place import file_size, is_file, open_file

Kind = Literal["list", "lines", "objects", "table", "empty", "other"]

# Bytes read to detect the format, and more until the first line ends.
HEAD_BYTES = 1 << 16
# A longer first line means that the file is one value, not JSON Lines.
MAX_LINE_BYTES = 1 << 24
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
TABLE_SUFFIXES = (".csv", ".tsv")
# Upper limit for a cell of a table.
MAX_CELL_CHARACTERS = 1 << 27


class TaskEntry(NamedTuple):
    """One task of a file with its number (from 0) and line, or the reason it cannot be read.

    `earlier` is what an earlier run has written for it, and is to be written again: the task with
    its predictions, and the failures that left it as it is.
    """

    number: int
    line: int | None
    task: Any = None
    problem: str | None = None
    source: str = ""
    earlier: "tuple[dict[str, Any], list[dict[str, Any]]] | None" = None

    def __str__(self) -> str:
        line = "" if self.line is None else f" (line {self.line})"
        return f"{self.source}{': ' if self.source else ''}task {self.number}{line}"


class TaskFile:
    """A file of tasks, or standard input (`-`). Its content tells the format, also in gzip.

    Iterating gives one `Entry` a task, in constant memory; what breaks a line costs that line,
    what breaks a list ends it.
    """

    def __init__(self, path: str, tables: bool = False) -> None:
        """`tables` allows CSV, too. SettingError if the file does not exist.

        The path may be an address in an object store, which is read block by block.
        """
        self.name = path
        self._tables = tables
        self._raw: BinaryIO | None = None
        self._place = Path(path) if path == "-" else parse_place(path)
        if path != "-" and not is_file(self._place):
            raise SettingError(f"{path}: file not found")

    @property
    def fraction(self) -> float | None:
        """The share of the file that has been read; None if unknown."""
        if self._raw is None or self._raw.closed or self.name == "-":
            return None
        size = file_size(self._raw)
        return self._raw.tell() / size if size else None

    def __iter__(self) -> Iterator[TaskEntry]:
        """Yield the tasks; SettingError if the file cannot be read at all."""
        try:
            self._raw = sys.stdin.buffer if self.name == "-" else open_file(self._place)
            raw = io.BufferedReader(_PrependedReader(b"", self._raw), HEAD_BYTES)
            packed = raw.peek(2)[:2] == GZIP_MAGIC
            data = gzip.GzipFile(fileobj=raw) if packed else raw
            head = _read_head(data)
        except (OSError, EOFError, zlib.error) as error:
            raise SettingError(f"{self.name} cannot be read: {_error_reason(error)}") from None
        with self._raw:
            file = io.BufferedReader(_PrependedReader(head, data), HEAD_BYTES)
            kind = self._detect_kind(head)
            if kind == "lines":
                yield from read_lines(file)
            elif kind == "table":
                yield from _read_rows(file)
            elif kind in {"list", "objects"}:
                yield from _read_values(file, kind)
            else:
                what = "The file is empty" if kind == "empty" else "The file is not JSON"
                what = f"{what}; expected a list of tasks, or one a line"
                yield TaskEntry(0, 1, problem=what)

    def open_lines(self) -> BinaryIO | None:
        """Open the file if it is plain JSON Lines, which can be read from any line on; else None.

        SettingError if it cannot be read.
        """
        try:
            file = open_file(self._place)
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            head = b"" if packed else _read_head(cast(io.BufferedIOBase, file))
            if head and self._detect_kind(head) == "lines":
                file.seek(0)
                return file
            file.close()
        except OSError as error:
            raise SettingError(f"{self.name} cannot be read: {_error_reason(error)}") from None
        return None

    def _detect_kind(self, head: bytes) -> Kind:
        suffixes = [suffix.lower() for suffix in Path(self.name).suffixes[-2:]]
        if self._tables and any(suffix in TABLE_SUFFIXES for suffix in suffixes):
            return "table"
        kind = _kind_of_head(head)
        return "table" if kind == "other" and self._tables else kind


def read_lines(file: Iterable[bytes], line_number: int = 1, index: int = 0) -> Iterator[TaskEntry]:
    """Yield the tasks of lines; the first line has that number, its task that index."""
    number = line_number - 1
    try:
        for number, line in enumerate(file, line_number):
            text = line.removeprefix(BOM).strip() if number == 1 else line.strip()
            if not text:
                continue
            try:
                yield TaskEntry(index, number, load_line(text))
            except ValueError as error:
                yield TaskEntry(index, number, problem=str(error))
            index += 1
    except (OSError, EOFError, zlib.error) as error:
        what = f"The rest of the file cannot be read: {_error_reason(error)}"
        yield TaskEntry(index, number + 1, problem=what)


def _read_values(file: io.BufferedIOBase, kind: Kind) -> Iterator[TaskEntry]:
    stream = JsonStream(file)
    index = 0
    try:
        for line, value, fault in (
            stream.list_items() if kind == "list" else stream.successive_values()
        ):
            yield TaskEntry(index, line, problem=fault) if fault else TaskEntry(index, line, value)
            index += 1
    except JsonSyntaxError as error:
        yield TaskEntry(index, error.line, problem=str(error))


def _read_rows(file: io.BufferedIOBase) -> Iterator[TaskEntry]:
    """Yield a task for each row of a table, whose header holds the keys of the data."""
    text = io.TextIOWrapper(cast(IO[bytes], file), "utf-8-sig", newline="")
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    index, rows = 0, None
    try:
        header = text.readline()
        mark = _guess_delimiter(header)
        keys = next(csv.reader([header], delimiter=mark), [])
        rows = csv.reader(text, delimiter=mark)
        for row in rows:
            if row:
                yield _row_entry(index, rows.line_num + 1, keys, row)
                index += 1
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error) as error:
        line = rows.line_num + 1 if rows is not None else 1
        what = f"The rest of the table cannot be read: {_error_reason(error)}"
        yield TaskEntry(index, line, problem=what)


def as_task(value: Any) -> Any:
    """Return a value as Label Studio imports it: an object without `data` is the data itself."""
    if isinstance(value, dict) and not value.get("data") and "predictions" not in value:
        return {"data": value}
    return value


class _PrependedReader(io.RawIOBase):
    """A file whose head was read already, and is read again."""

    def __init__(self, head: bytes, file: BinaryIO | io.BufferedIOBase) -> None:
        self._head = head
        self._file: Any = file

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        data = self._head[: len(target)] or self._file.read1(len(target))
        self._head = self._head[len(data) :]
        target[: len(data)] = data
        return len(data)


def _read_head(file: io.BufferedIOBase) -> bytes:
    """Return the first lines of a file, as far as they can be read."""
    head = b""
    try:
        while piece := file.read1(HEAD_BYTES):
            head += piece
            if len(head) >= HEAD_BYTES and (b"\n" in head.strip() or len(head) > MAX_LINE_BYTES):
                break
    except (OSError, EOFError, zlib.error):
        if not head:
            raise
    return head


def _kind_of_head(head: bytes) -> Kind:
    text = head.removeprefix(BOM).strip()
    if not text:
        return "empty"
    if text.startswith(b"["):
        return "list"
    lines = text.splitlines()[:20]
    if any(line.startswith(b"{") and _is_object(line) for line in lines):
        return "lines"
    return "objects" if text.startswith(b"{") else "other"


def _is_object(line: bytes) -> bool:
    try:
        return bool(load_line(line))
    except ValueError:
        return False


def _guess_delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _row_entry(index: int, line: int, keys: list[str], row: list[str]) -> TaskEntry:
    if len(row) != len(keys):
        what = f"The row has {len(row)} cells, the header has {len(keys)}"
        return TaskEntry(index, line, problem=what)
    return TaskEntry(index, line, {"data": dict(zip(keys, row, strict=True))})


def _error_reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
