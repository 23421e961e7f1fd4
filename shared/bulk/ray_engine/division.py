"""Divides inputs into parts: what an actor predicts at a time, and what one output file holds.

Part N has N tasks, and at least `MIN_PART_TASKS`. So n tasks make about √(2n) parts, without
their number being known before: the driver has few parts to follow, a small input still has parts
for all actors, and what a killed actor costs stays a small share of the whole. The division
depends on nothing but the inputs: whoever continues a run finds the same parts.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple, Protocol

from shared.errors import PrelabelError
from shared.label_studio.json_stream import dump_line
from shared.label_studio.task_file import BOM, TaskEntry, TaskFile, read_lines
from shared.label_studio.task_sources import Source
from shared.media.object_address import parse_place
from shared.media.place import open_file

MIN_PART_TASKS = 16
# A part ends once it has so many bytes of input, however few tasks that are.
MAX_PART_BYTES = 1 << 26
# Lines and tasks are read ahead by so many, after which the bytes are counted.
STEP = 64
# The problem of a finished part that had other tasks.
OTHER_TASKS = "other tasks"


class Piece(Protocol):
    """Successive tasks of one source, wherever they are."""

    def entries(self) -> Iterator[TaskEntry]:
        """Yield the tasks; `number` counts over all sources."""


@dataclass(frozen=True)
class LineRange:
    """Lines of a file of JSON Lines, to be read where they are predicted.

    `line` is the number of the first (from 1), `index` that of its task among all tasks.
    """

    path: str
    offset: int
    lines: int
    line: int
    index: int

    def entries(self) -> Iterator[TaskEntry]:
        """Read the lines, and yield their tasks."""
        with open_file(parse_place(self.path)) as file:
            file.seek(self.offset)
            for entry in read_lines(islice(file, self.lines), self.line, self.index):
                yield entry._replace(source=self.path)


@dataclass(frozen=True)
class EntryList:
    """Tasks of a source that only can be read from its start, such as a list or a table."""

    tasks: tuple[TaskEntry, ...]

    def entries(self) -> Iterator[TaskEntry]:
        """Yield the tasks."""
        return iter(self.tasks)


@dataclass(frozen=True)
class Part:
    """Successive tasks. `digest` tells whether they are those of an earlier run.

    `progress` is the share of the inputs that has been read with it. The last part `is_end`: it
    has no tasks, and its number is that of the parts before. A `problem` ends the run.
    """

    number: int
    pieces: tuple[Piece, ...] = ()
    digest: str = ""
    progress: float = 1.0
    is_end: bool = False
    problem: str = ""

    def entries(self) -> Iterator[TaskEntry]:
        """Yield the tasks."""
        for piece in self.pieces:
            yield from piece.entries()


def divide(sources: Sequence[Source]) -> Generator[Part, None, None]:
    """Yield all parts in order; SettingError if a source cannot be read at all."""
    draft, first = _Draft(0), 0
    for passed, source in enumerate(sources):
        with closing(_open_reader(source, first)) as reader:
            while (taken := reader.take(draft.room)) is not None:
                draft.add(taken)
                if draft.is_full:
                    yield draft.close((passed + (reader.fraction or 0.0)) / len(sources))
                    draft = _Draft(draft.number + 1)
        first = reader.index
    if draft.pieces:
        yield draft.close(1.0)
        draft = _Draft(draft.number + 1)
    yield Part(draft.number, is_end=True)


def parts_left(sources: Sequence[Source], finished: Mapping[int, str]) -> Iterator[Part]:
    """Yield the parts that are not finished, whose digests are given by their numbers.

    The input's end comes with them; a source that cannot be read comes as a problem, and so does
    a finished part that had other tasks.
    """
    parts = divide(sources)
    try:
        for part in parts:
            known = finished.get(part.number)
            if known is None or part.is_end:
                yield part
            elif known != part.digest:
                yield Part(part.number, problem=OTHER_TASKS)
                return
    except PrelabelError as error:
        yield Part(0, problem=str(error))
    finally:
        parts.close()


class _Taken(NamedTuple):
    """A piece, its tasks (or lines, some of which may be blank), its bytes, and a hash of them."""

    piece: Piece
    tasks: int
    size: int
    digest: bytes


class _Draft:
    """A part that is still being filled."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pieces: list[Piece] = []
        self.room = max(MIN_PART_TASKS, number)
        self._size = 0
        self._hash = hashlib.blake2b(digest_size=8)

    @property
    def is_full(self) -> bool:
        return self.room <= 0 or self._size >= MAX_PART_BYTES

    def add(self, taken: _Taken) -> None:
        self.pieces.append(taken.piece)
        self.room -= taken.tasks
        self._size += taken.size
        self._hash.update(taken.digest)

    def close(self, progress: float) -> Part:
        return Part(self.number, tuple(self.pieces), self._hash.hexdigest(), progress)


def _open_reader(source: Source, first: int) -> "_LineReader | _EntryReader":
    file = source.open_lines() if isinstance(source, TaskFile) else None
    return _EntryReader(source, first) if file is None else _LineReader(source.name, file, first)


class _LineReader:
    """Takes ranges of lines, whose JSON is not parsed here. `index` is that of the next task."""

    def __init__(self, path: str, file: BinaryIO, index: int) -> None:
        self._path, self._file, self.index = path, file, index
        self._size = file.seek(0, 2)
        self._offset = file.seek(0)
        self._line = 1

    @property
    def fraction(self) -> float:
        return self._offset / max(self._size, 1)

    def take(self, most: int) -> _Taken | None:
        """Take so many lines at most; None if none are left."""
        lines: list[bytes] = []
        size = 0
        while len(lines) < most and size < MAX_PART_BYTES:
            more = list(islice(self._file, min(STEP, most - len(lines))))
            if not more:
                break
            lines += more
            size += sum(map(len, more))
        if not lines:
            return None
        found = LineRange(self._path, self._offset, len(lines), self._line, self.index)
        text = b"".join(lines)
        place = f"{self._path} {self._line} {self.index} ".encode()
        if self._line == 1:
            lines[0] = lines[0].removeprefix(BOM) or b" "
        self.index += len(lines) - sum(map(bytes.isspace, lines))
        self._line += len(lines)
        self._offset += len(text)
        return _Taken(found, len(lines), size, hashlib.blake2b(place + text).digest())

    def close(self) -> None:
        self._file.close()


class _EntryReader:
    """Takes lists of tasks. `index` is that of the next one."""

    def __init__(self, source: Source, first: int) -> None:
        self._source, self._first, self.index = source, first, first
        self._entries = iter(source)

    @property
    def fraction(self) -> float | None:
        return self._source.fraction

    def take(self, most: int) -> _Taken | None:
        """Take so many tasks at most; None if none are left."""
        tasks: list[TaskEntry] = []
        digest, size = hashlib.blake2b(), 0
        for entry in islice(self._entries, most):
            self.index = self._first + entry.number + 1
            moved = entry._replace(number=self.index - 1, source=entry.source or self._source.name)
            line = dump_line(list(moved))
            digest.update(line)
            size += len(line)
            tasks.append(moved)
            if size >= MAX_PART_BYTES:
                break
        if not tasks:
            return None
        return _Taken(EntryList(tuple(tasks)), len(tasks), size, digest.digest())

    def close(self) -> None:
        """Nothing is open here that a source does not close itself."""
