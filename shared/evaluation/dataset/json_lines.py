"""Datasets as JSON Lines: samples as they are, in the units of models."""

from collections.abc import Sequence
from contextlib import ExitStack

from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.writer import SampleFile, WriterContext


class JsonLinesWriter:
    """Writes PART.jsonl."""

    def __init__(self, context: WriterContext) -> None:
        self._files = ExitStack()
        self._lines = {
            part: self._files.enter_context((context.folder / f"{part}.jsonl").open("wb"))
            for part in context.options.split_names
        }

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write the sample as a line."""
        self._lines[part].write(sample.to_line())

    def finish(self) -> None:
        """Close the files."""
        self._files.close()
