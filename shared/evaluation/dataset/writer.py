"""The contract of a format's writer, and what it gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.evaluation.dataset.media_store import StoredFile
from shared.evaluation.dataset.options import DatasetOptions
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig


@dataclass(frozen=True)
class WriterContext:
    """What a writer needs: `labels` are the names of each control tag, in a fixed order."""

    config: LabelConfig
    options: DatasetOptions
    folder: Path
    problems: ProblemLog
    labels: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class SampleFile:
    """A fetched file of a sample: of which object tag, and of which place in its list."""

    object: str
    item: int | None
    stored: StoredFile
    path: Path


class DatasetWriter(Protocol):
    """Writes samples into the files of a format, in bounded memory."""

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write a sample into a part: train, val or test."""

    def finish(self) -> None:
        """Complete the files."""
