"""Datasets as JSON Lines: samples as they are, in the units of models."""

from collections.abc import Sequence
from contextlib import ExitStack

from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.writer import SampleFile, WriterContext


class PartLines:
    """PART.jsonl of each part, which are closed at the end."""

    def __init__(self, context: WriterContext) -> None:
        self._files = ExitStack()
        self._lines = {
            part: self._files.enter_context((context.folder / f"{part}.jsonl").open("wb"))
            for part in context.options.split_names
        }

    def write(self, part: str, line: bytes) -> None:
        """Write a line, with its end."""
        self._lines[part].write(line)

    def finish(self) -> None:
        """Close the files."""
        self._files.close()


class JsonLinesWriter(PartLines):
    """Writes PART.jsonl."""

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write the sample as a line."""
        self.write(part, sample.to_line())
