"""Datasets for Hugging Face `datasets`: a DatasetDict as `save_to_disk` writes it.

It is memory-mapped when it is loaded, and keeps the names of classes; Parquet would be smaller, but
has to be converted to this by each reader (`DatasetDict.to_parquet` does it once, if wanted).
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.backend.extras import require
from shared.evaluation.dataset.columns import ColumnMaker, Row
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.writer import SampleFile, WriterContext

# Rows that are written at a time, and bytes of their media from which fewer are.
BATCH_ROWS = 500
BATCH_BYTES = 32_000_000


class HuggingFaceWriter:
    """Writes a DatasetDict: one row for each text, picture or recording."""

    def __init__(self, context: WriterContext) -> None:
        self._datasets = require("datasets", "dataset")
        self._columns = ColumnMaker(context).make()
        self._features = self._datasets.Features({one.name: one.feature for one in self._columns})
        self._folder = context.folder
        self._rows = context.folder / "rows"
        self._rows.mkdir()
        self._parts = {
            part: _RowFile(self._rows / f"{part}.arrow", self._features.arrow_schema)
            for part in context.options.split_names
        }

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Add the sample's rows."""
        for row in _rows_of(sample, files):
            self._parts[part].add({one.name: one.read(row) for one in self._columns})

    def finish(self) -> None:
        """Write the DatasetDict."""
        for rows in self._parts.values():
            rows.close()
        bars = self._datasets.utils.logging.is_progress_bar_enabled()
        self._datasets.disable_progress_bars()
        try:
            found = {part: self._open(rows) for part, rows in self._parts.items()}
            # Without a file a part that is empty could not be loaded.
            shards = {part: None if rows.count else 1 for part, rows in self._parts.items()}
            folder = str(self._folder)
            self._datasets.DatasetDict(found).save_to_disk(folder, num_shards=shards)
        finally:
            if bars:
                self._datasets.enable_progress_bars()
        shutil.rmtree(self._rows)

    def _open(self, rows: "_RowFile") -> Any:
        if rows.count:
            return self._datasets.Dataset.from_file(str(rows.path))
        # A file without rows cannot be opened.
        empty: dict[str, list[Any]] = {one.name: [] for one in self._columns}
        return self._datasets.Dataset.from_dict(empty, features=self._features)


def _rows_of(sample: Sample, files: Sequence[SampleFile]) -> Iterator[Row]:
    if not files:
        yield Row(sample, None)
    for file in files:
        yield Row(sample, file)


class _RowFile:
    """Rows of a part as Arrow's stream."""

    def __init__(self, path: Path, schema: Any) -> None:
        self.path, self._schema = path, schema
        self._arrow: Any = require("pyarrow", "dataset")
        self._stream = self._arrow.ipc.new_stream(str(path), schema)
        self._waiting: list[dict[str, Any]] = []
        self._bytes = self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        media = (value.get("bytes") for value in row.values() if isinstance(value, dict))
        self._bytes += sum(len(data) for data in media if data)
        if len(self._waiting) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self._write()

    def _write(self) -> None:
        batch = self._arrow.RecordBatch.from_pylist(self._waiting, schema=self._schema)
        self._stream.write_batch(batch)
        self.count += len(self._waiting)
        self._waiting, self._bytes = [], 0

    def close(self) -> None:
        """Write what is left."""
        self._write()
        self._stream.close()
