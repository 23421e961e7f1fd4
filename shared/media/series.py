"""Reads tables of time series as the editor does: CSV with any separator, JSON of columns."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from shared.errors import DecodeError

# Separators that the editor knows by name.
SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "dot": "."}
AUTO = "auto"
# Rows that are turned into numbers at a time: what stays in memory are 8 bytes a number.
CHUNK_ROWS = 65_536
# Cells (rows by columns) that are read at most, unless the caller says otherwise.
MAX_CELLS = 200_000_000
QUOTED_CELLS = 3
# Digits that the place of a column has at most.
PLACE_DIGITS = 9
# What csv says of a quotation mark that is not closed, in a file of any size.
UNCLOSED = ("unexpected end of data", "field larger than field limit")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Files that hold tables, but not as text.
BINARY_MARKS = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a ZIP file or a spreadsheet, such as .xlsx",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of the old format .xls",
}
# Characters of a column's name that a message shows.
SHOWN_NAME = 60
# Of a file so much is looked at for its separator and header.
BEGIN_BYTES = 100_000
_BLANK_LINE = re.compile(rb"^[ \t]*\r?\n", re.MULTILINE)

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class SeriesTable:
    """Columns of a table by their names: numbers with NaN for what is none, or texts.

    `names` are those of all columns, in their order: lower case, and of a CSV file without a header
    "0", "1", …. `examples` are the first cells of a column that could not be read as numbers.
    """

    names: tuple[str, ...]
    numbers: Mapping[str, Numbers]
    texts: Mapping[str, Sequence[str]]
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def row_count(self) -> int:
        """The number of rows."""
        columns = chain(self.numbers.values(), self.texts.values())
        return max((len(column) for column in columns), default=0)


@dataclass(frozen=True)
class WantedColumns:
    """The columns to read: `numbers` (all others if empty), and `texts` as they are.

    A column is named as in the file, in any case, or by its place from 0.
    """

    numbers: Sequence[str] = ()
    texts: Sequence[str] = ()
    max_cells: int = MAX_CELLS

    def places(self, names: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the places of the numbers and of the texts; DecodeError if one is missing."""
        texts = [find_column(name, names) for name in self.texts]
        if not self.numbers:
            return [place for place in range(len(names)) if place not in texts], texts
        return [find_column(name, names) for name in self.numbers], texts


def find_column(wanted: str, names: Sequence[str]) -> int:
    """Return the place of a column; DecodeError names the columns that there are."""
    folded = [name.lower() for name in names]
    is_place = wanted.isdecimal() and len(wanted) <= PLACE_DIGITS and wanted not in folded
    if is_place and int(wanted) < len(names):
        return int(wanted)
    if wanted.lower() in folded:
        return folded.index(wanted.lower())
    there = ", ".join(f'"{name[:SHOWN_NAME]}"' for name in names[:12]) or "none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    raise DecodeError(f'The series has no column "{wanted}"; it has {there}{more}')


def read_series(data: bytes, separator: str, wanted: WantedColumns) -> SeriesTable:
    """Read the file of a series, JSON or CSV; DecodeError says what is wrong with it."""
    if data[:1] == b"{":
        try:
            return read_columns(orjson.loads(data), wanted)
        except orjson.JSONDecodeError as error:
            raise DecodeError(f"The series begins like JSON, but is not: {error}") from None
    return _read_csv(data, separator, wanted)


def read_columns(columns: Mapping[str, Any], wanted: WantedColumns) -> SeriesTable:
    """Read columns as a task's data holds them: `{"time": [0, 1], "value": [2.5, null]}`."""
    names = tuple(columns)
    numbers, texts = wanted.places(names)
    lists = {name: columns[name] for name in (names[place] for place in (*numbers, *texts))}
    _check_lists(lists, wanted.max_cells)
    found, examples = {}, {}
    for name in (names[place] for place in numbers):
        found[name.lower()] = to_numbers(lists[name])
        examples[name.lower()] = _unreadable(lists[name])
    shown = {names[place].lower(): [_text(one) for one in lists[names[place]]] for place in texts}
    return SeriesTable(tuple(name.lower() for name in names), found, shown, examples)


def _check_lists(lists: Mapping[str, Any], max_cells: int) -> None:
    for name, column in lists.items():
        if not isinstance(column, list):
            raise DecodeError(
                f'The column "{name}" of the series should be a list, found'
                f" {type(column).__name__}: expected an object with a list for each column"
            )
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f'"{name}" {length:,}' for name, length in lengths.items())
        raise DecodeError(f"The columns of the series differ in length: {shown}")
    _check_size(next(iter(lengths.values()), 0), len(lists), max_cells)


def _check_size(rows: int, columns: int, max_cells: int) -> None:
    if rows * columns > max_cells:
        raise DecodeError(
            f"The series has over {max_cells // max(columns, 1):,} rows in {columns} columns: cut"
            " it into several tasks",
            cause="too_large",
        )


def to_numbers(cells: Sequence[Any]) -> Numbers:
    """Return cells as numbers; NaN for what is empty, null, infinite or no number."""
    try:
        found = np.fromiter(map(float, cells), np.float64, len(cells))
    except (TypeError, ValueError, OverflowError):
        found = np.fromiter(map(_to_number, cells), np.float64, len(cells))
    found[np.isinf(found)] = np.nan
    return found


def _to_number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _unreadable(cells: Sequence[Any]) -> list[str]:
    """Return the first cells that hold something else than a number."""
    filled = (cell for cell in islice(cells, CHUNK_ROWS) if cell is not None and str(cell).strip())
    wrong = (_text(cell) for cell in filled if math.isnan(_to_number(cell)))
    return list(islice(wrong, QUOTED_CELLS))


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)


def _read_csv(data: bytes, separator: str, wanted: WantedColumns) -> SeriesTable:
    if data[:2] in UTF16_MARKS:
        raise DecodeError(
            "The series is UTF-16 text, which the editor does not read; save it as UTF-8"
        )
    for mark, kind in BINARY_MARKS.items():
        if data.startswith(mark):
            raise DecodeError(f"The series is {kind}; save it as CSV in UTF-8")
    delimiter = find_separator(data[:BEGIN_BYTES].decode("utf-8-sig", "replace"), separator)
    _check_quotes(data, delimiter)
    is_plain = b"\n" in data and not _BLANK_LINE.search(data)  # lines may end in \r alone
    if is_plain and find_spec("polars") is not None:
        found = _read_by_polars(data, delimiter, wanted)
        if found is not None:
            return found
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise DecodeError(f"The series is no UTF-8 text: byte {error.start} is not") from None
    try:
        return _CsvColumns(_filled_rows(text, delimiter), wanted).read()
    except csv.Error as error:
        raise DecodeError(f"The series is no CSV: {error}") from None


def _check_quotes(data: bytes, delimiter: str) -> None:
    """Raise DecodeError for a quotation mark that is not closed: it would hide all rows below."""
    if data.count(b'"') % 2 == 0:
        return
    text = io.StringIO(data.decode("utf-8-sig", "replace"), newline="")
    rows, lines = csv.reader(text, delimiter=delimiter, strict=True), 0
    try:
        for _ in rows:
            lines = rows.line_num
    except csv.Error as error:
        if any(words in str(error) for words in UNCLOSED):
            raise DecodeError(
                f"A quotation mark in line {lines + 1:,} of the series is not closed: all lines"
                " below would be one value"
            ) from None


def _filled_rows(text: io.StringIO, delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(text, delimiter=delimiter) if row and row != [""])


def _read_by_polars(data: bytes, delimiter: str, wanted: WantedColumns) -> SeriesTable | None:
    """Read CSV ten times as fast; None for what polars does not take, such as ragged rows."""
    begin = io.StringIO(data[:BEGIN_BYTES].decode("utf-8-sig", "replace"), newline="")
    first = list(islice(_filled_rows(begin, delimiter), 2))
    if len(first) < 2:
        return None
    names, body = _split_header(first)
    numbers, texts = wanted.places(names)
    frame = _scan(data, delimiter, len(body) == 1, sorted({*numbers, *texts}))
    if frame is None:
        return None
    _check_size(frame.height, len(numbers) + len(texts), wanted.max_cells)
    found, examples, shown = {}, {}, {}
    for place in numbers:
        found[names[place]], examples[names[place]] = _polars_numbers(frame[f"c{place}"])
    for place in texts:
        shown[names[place]] = frame[f"c{place}"].fill_null("").to_list()
    return SeriesTable(tuple(names), found, shown, examples)


def _scan(data: bytes, delimiter: str, has_header: bool, places: Sequence[int]) -> Any:
    """Return a data frame of texts, its columns named by their places; None if it cannot be."""
    import polars

    if not delimiter.isascii():  # it takes a separator of one byte
        return None
    try:
        frame = polars.read_csv(
            data,
            separator=delimiter,
            has_header=has_header,
            columns=list(places),
            infer_schema=False,
        )
    except polars.exceptions.PolarsError:
        return None
    return frame.rename(dict(zip(frame.columns, (f"c{place}" for place in places), strict=True)))


def _polars_numbers(column: Any) -> tuple[Numbers, list[str]]:
    """Return the numbers of a column of texts, and the first cells that are none."""
    import polars

    cast = column.cast(polars.Float64, strict=False)
    if cast.null_count() > column.null_count():  # spaces around numbers, or no numbers
        cells = column.fill_null("").to_list()
        return to_numbers(cells), _unreadable(cells)
    found = cast.fill_null(math.nan).to_numpy(writable=True)
    found[np.isinf(found)] = np.nan
    return found, []


def find_separator(begin: str, separator: str) -> str:
    """Return the character between the columns, by the tag's `sep` or found out (`auto`)."""
    if separator == AUTO:
        lines = begin.splitlines()
        line = lines[1] if len(lines) > 1 else begin
        return next((one for one in "\t;, " if one in line.strip()), ",")
    found = SEPARATORS.get(separator, separator[:1] or ",")
    if found in '"\r\n':
        raise DecodeError(f"sep={found!r} on the TimeSeries tag cannot stand between columns")
    first = begin.partition("\n")[0]
    if found not in first and any(one in first for one in "\t;,|"):
        raise DecodeError(
            f'The first line of the series has no separator "{separator}": it is'
            f' "{first.strip()[:80]}"; set sep on the TimeSeries tag'
        )
    return found


class _CsvColumns:
    """Reads the rows of a CSV file into columns, a chunk at a time."""

    def __init__(self, rows: Iterator[list[str]], wanted: WantedColumns) -> None:
        self._rows = rows
        self._wanted = wanted
        self._numbers: list[list[Numbers]] = []
        self._texts: list[list[str]] = []
        self._examples: dict[int, list[str]] = {}

    def read(self) -> SeriesTable:
        first = [list(row) for row in islice(self._rows, 2)]
        if not first:
            raise DecodeError("The series is empty")
        names, body = _split_header(first)
        numbers, texts = self._wanted.places(names)
        self._numbers, self._texts = [[] for _ in numbers], [[] for _ in texts]
        rows, done = chain(body, self._rows), 0
        while chunk := list(islice(rows, CHUNK_ROWS)):
            _check_size(done + len(chunk), len(numbers) + len(texts), self._wanted.max_cells)
            columns = _transpose(chunk, len(names), done + 1 + len(first) - len(body))
            self._add(columns, numbers, texts)
            done += len(chunk)
        return SeriesTable(
            tuple(names),
            {names[at]: _join(found) for at, found in zip(numbers, self._numbers, strict=True)},
            {names[at]: found for at, found in zip(texts, self._texts, strict=True)},
            {names[at]: self._examples.get(at, []) for at in numbers},
        )

    def _add(
        self, columns: Sequence[Sequence[str]], numbers: Sequence[int], texts: Sequence[int]
    ) -> None:
        for found, place in zip(self._numbers, numbers, strict=True):
            found.append(to_numbers(columns[place]))
            if place not in self._examples and np.isnan(found[-1]).any():
                self._examples[place] = _unreadable(columns[place])
        for texts_found, place in zip(self._texts, texts, strict=True):
            texts_found.extend(columns[place])


def _join(chunks: Sequence[Numbers]) -> Numbers:
    return np.concatenate(chunks) if chunks else np.empty(0)


def _split_header(first: Sequence[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and the first rows without the header.

    As in the editor the first row is one if a column has text in it and a number in the second.
    """
    top, second = first[0], first[-1]
    alike = len(top) == len(second) and all(
        _is_number(one) == _is_number(other) for one, other in zip(top, second, strict=True)
    )
    if alike and len(first) > 1:
        return [str(place) for place in range(len(top))], list(first)
    return [name.strip().lower() for name in top], list(first[1:])


def _is_number(cell: str) -> bool:
    return not cell.strip() or not math.isnan(_to_number(cell))


def _transpose(rows: list[list[str]], width: int, number: int) -> Sequence[Sequence[str]]:
    """Return the columns of rows, the first of which has that number.

    Cells that lack at the end are empty; DecodeError names a row that has too many.
    """
    if {len(row) for row in rows} != {width}:
        for place, row in enumerate(rows):
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                raise DecodeError(
                    f"Row {number + place:,} of the series has {len(row)} values, but there are"
                    f" {width} columns: check sep on the TimeSeries tag"
                )
            rows[place] = [*row[:width], *[""] * (width - len(row))]
    return list(zip(*rows, strict=True))
