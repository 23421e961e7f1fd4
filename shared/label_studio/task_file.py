"""Files of tasks, one task after the other: a JSON list, one object, JSON Lines, or a table."""

import csv
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple, cast

from shared.errors import SettingError
from shared.label_studio.json_stream import BrokenError, JsonStream, load_line

Kind = Literal["list", "lines", "objects", "table", "empty", "other"]

# Bytes by which the kind of a file is told, and more until the first line ends.
HEAD = 1 << 16
# Bytes after which a file is taken to be one value rather than lines.
LONGEST_LINE = 1 << 24
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
TABLES = (".csv", ".tsv")
# Characters of a table's cell.
CELL = 1 << 27


class Entry(NamedTuple):
    """One task of a file, by its number (from 0 on) and line, or why it cannot be read."""

    number: int
    line: int | None
    task: Any = None
    problem: str | None = None
    source: str = ""

    def __str__(self) -> str:
        line = "" if self.line is None else f" (line {self.line})"
        return f"{self.source}{': ' if self.source else ''}task {self.number}{line}"


class TasksFile:
    """A file of tasks, or standard input (`-`). Its kind is told by its content, also in gzip.

    Iterating gives one `Entry` a task, in constant memory; what breaks a line costs that line,
    what breaks a list ends it.
    """

    def __init__(self, path: str, tables: bool = False) -> None:
        """`tables`: whether CSV is read, too. SettingError if there is no such file."""
        self.name = path
        self._tables = tables
        self._raw: BinaryIO | None = None
        if path != "-" and not os.path.isfile(path):
            raise SettingError(f"{path}: there is no such file")

    @property
    def fraction(self) -> float | None:
        """How much of it is read; None if that is not known."""
        if self._raw is None or self._raw.closed or self.name == "-":
            return None
        size = os.fstat(self._raw.fileno()).st_size
        return self._raw.tell() / size if size else None

    def __iter__(self) -> Iterator[Entry]:
        """SettingError if it cannot be read at all."""
        try:
            self._raw = _open(self.name)
            raw = io.BufferedReader(_Rewound(b"", self._raw), HEAD)
            packed = raw.peek(2)[:2] == GZIP
            data = gzip.GzipFile(fileobj=raw) if packed else raw
            head = _head(data)
        except (OSError, EOFError, zlib.error) as error:
            raise SettingError(f"{self.name} cannot be read: {_reason(error)}") from None
        with self._raw:
            file = io.BufferedReader(_Rewound(head, data), HEAD)
            kind = self._kind(head)
            if kind == "lines":
                yield from _lines(file)
            elif kind == "table":
                yield from _rows(file)
            elif kind in {"list", "objects"}:
                yield from _values(file, kind)
            else:
                what = "The file is empty" if kind == "empty" else "The file is not JSON"
                what = f"{what}; expected a list of tasks, or one a line"
                yield Entry(0, 1, problem=what)

    def _kind(self, head: bytes) -> Kind:
        suffixes = [suffix.lower() for suffix in Path(self.name).suffixes[-2:]]
        if self._tables and any(suffix in TABLES for suffix in suffixes):
            return "table"
        kind = _kind(head)
        return "table" if kind == "other" and self._tables else kind


def _lines(file: io.BufferedIOBase) -> Iterator[Entry]:
    index = number = 0
    try:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(BOM).strip() if number == 1 else line.strip()
            if not text:
                continue
            try:
                yield Entry(index, number, load_line(text))
            except ValueError as error:
                yield Entry(index, number, problem=str(error))
            index += 1
    except (OSError, EOFError, zlib.error) as error:
        what = f"The file cannot be read on: {_reason(error)}"
        yield Entry(index, number + 1, problem=what)


def _values(file: io.BufferedIOBase, kind: Kind) -> Iterator[Entry]:
    stream = JsonStream(file)
    index = 0
    try:
        for line, value, fault in stream.items() if kind == "list" else stream.values():
            yield Entry(index, line, problem=fault) if fault else Entry(index, line, value)
            index += 1
    except BrokenError as error:
        yield Entry(index, error.line, problem=str(error))


def _rows(file: io.BufferedIOBase) -> Iterator[Entry]:
    """A table's rows under the header, which holds the keys of the data."""
    text = io.TextIOWrapper(cast(IO[bytes], file), "utf-8-sig", newline="")
    csv.field_size_limit(CELL)
    index, rows = 0, None
    try:
        header = text.readline()
        mark = _delimiter(header)
        keys = next(csv.reader([header], delimiter=mark), [])
        rows = csv.reader(text, delimiter=mark)
        for row in rows:
            if row:
                yield _row(index, rows.line_num + 1, keys, row)
                index += 1
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error) as error:
        line = rows.line_num + 1 if rows is not None else 1
        what = f"The table cannot be read on: {_reason(error)}"
        yield Entry(index, line, problem=what)


def as_task(value: Any) -> Any:
    """As Label Studio imports it: an object without `data` is the data itself."""
    if isinstance(value, dict) and not value.get("data") and "predictions" not in value:
        return {"data": value}
    return value


class _Rewound(io.RawIOBase):
    """A file whose head was read already, and comes again."""

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


def _open(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else Path(name).open("rb")


def _head(file: io.BufferedIOBase) -> bytes:
    """The first lines of a file, as far as they can be read."""
    head = b""
    try:
        while piece := file.read1(HEAD):
            head += piece
            if len(head) >= HEAD and (b"\n" in head.strip() or len(head) > LONGEST_LINE):
                break
    except (OSError, EOFError, zlib.error):
        if not head:
            raise
    return head


def _kind(head: bytes) -> Kind:
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


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _row(index: int, line: int, keys: list[str], row: list[str]) -> Entry:
    if len(row) != len(keys):
        what = f"The row has {len(row)} cells, the header has {len(keys)}"
        return Entry(index, line, problem=what)
    return Entry(index, line, {"data": dict(zip(keys, row, strict=True))})


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
