"""Parquet files of tasks: a row is a task, or the data of one. Read by PyArrow (extra ray)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from shared.backend.extras import require
from shared.errors import SettingError
from shared.label_studio.task_file import TaskEntry
from shared.media.object_address import parse_place
from shared.media.place import is_file, open_file

SUFFIX = ".parquet"
# Rows that are held in memory at once.
BATCH_ROWS = 256


class ParquetFile:
    """A file of tasks, as `TaskFile` is one.

    Columns that a row leaves empty are keys that its task does not have. Dates are written as text.
    """

    def __init__(self, path: str) -> None:
        """SettingError if the file does not exist."""
        self.name = path
        self._read = self._rows = 0
        self._place = parse_place(path)
        if not is_file(self._place):
            raise SettingError(f"{path}: file not found")

    @property
    def fraction(self) -> float | None:
        """The share of the rows that has been read."""
        return self._read / self._rows if self._rows else None

    def __iter__(self) -> Iterator[TaskEntry]:
        """Yield the tasks; SettingError if the file cannot be read at all."""
        pyarrow, parquet = require("pyarrow", "ray"), require("pyarrow.parquet", "ray")
        self._read = 0
        try:
            with open_file(self._place) as source, parquet.ParquetFile(source) as file:
                self._rows = file.metadata.num_rows
                for batch in file.iter_batches(BATCH_ROWS):
                    for row in batch.to_pylist():
                        yield _as_entry(self._read, row)
                        self._read += 1
        except (OSError, pyarrow.ArrowException) as error:
            reason = str(error).splitlines()[0]
            if not self._read:
                raise SettingError(f"{self.name} cannot be read: {reason}") from None
            what = f"The rest of the file cannot be read: {reason}"
            yield TaskEntry(self._read, None, problem=what)


def is_parquet(name: str) -> bool:
    """Return whether an input is a Parquet file, by its name."""
    return Path(name).suffix.lower() == SUFFIX


def _as_entry(number: int, row: dict[str, Any]) -> TaskEntry:
    given = {key: value for key, value in row.items() if value is not None}
    try:
        return TaskEntry(number, None, orjson.loads(orjson.dumps(given, option=orjson.OPT_UTC_Z)))
    except TypeError as error:
        what = f"A value of the row cannot be written as JSON: {error}"
        return TaskEntry(number, None, problem=what)
