"""Tasks that a network in int8 is calibrated with, as the model gets them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.errors import PrelabelError, SettingError

if TYPE_CHECKING:
    from shared.backend.base import Backend
    from shared.backend.claim import Claim
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TaskEntry
    from shared.label_studio.task_sources import Inputs

# Tasks that are taken of more, at random but always the same.
MAX_TASKS = 300
# Reasons that are printed at the end.
MAX_LISTED_REASONS = 3


@dataclass(frozen=True)
class CalibrationItems:
    """What the model of a backend gets of tasks, one by one.

    They are read each time that they are iterated: pictures may take more than the memory.
    """

    backend: "Backend"
    claim: "Claim"
    entries: "Sequence[TaskEntry]"

    def __iter__(self) -> Iterator[Any]:
        """Yield the items; what cannot be read is told at the end."""
        from shared.label_studio.task import Task

        failures: Counter[str] = Counter()
        for entry in self.entries:
            if entry.problem is not None:
                failures[entry.problem] += 1
                continue
            try:
                yield self.backend.read(Task.parse(entry.task), self.claim, None)
            except PrelabelError as error:
                failures[str(error)] += 1
        for message, count in failures.most_common(MAX_LISTED_REASONS):
            typer.echo(f"{count:,} of --calibrate cannot be read: {message}", err=True)


def read_items(cls: "type[Backend]", name: str, label_config: Path | None) -> CalibrationItems:
    """Return what the model of a backend gets of the tasks in a file or a folder.

    Without a label config that of the backend's example says what of a task is read. Raises
    SettingError at once where there is nothing to read.
    """
    from shared.backend.example import Example
    from shared.backend.registry import find_backends
    from shared.label_studio.task_sources import usable_entry

    if label_config is None:
        xml = Example.load(find_backends()[cls.name]).label_config
    else:
        xml = label_config.read_text("utf-8", errors="replace")
    backend = cls(served=True, label_config=xml)
    claims = [claim for claim in backend.claim(backend.config) if claim.object.tag != "Video"]
    if not claims:
        raise SettingError(f"{label_config}: {cls.name} fills no control tag of images or texts")
    entries = list(map(usable_entry, _open(name, backend.config)))
    return CalibrationItems(backend, claims[0], entries)


def _open(name: str, config: "LabelConfig") -> "Inputs":
    """Open a file of tasks, or a folder or glob of media."""
    from shared.cli.predict_inputs import open_sources
    from shared.label_studio.task_sources import Inputs

    return Inputs(open_sources([name], config, None), size=MAX_TASKS)
