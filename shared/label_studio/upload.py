"""Sends the tasks of an import file to a project, each once."""

from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from shared.label_studio.import_file import ImportFile
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.project import Project

# Tasks whose predictions are uploaded in one request.
BATCH_TASKS = 100


class Upload:
    """Sends an import file's tasks to a project in batches, each task once.

    `OUT.pushed` holds how many were sent, and how many there are with the batch in progress: if
    the process ended during a batch, the next run first asks the project whether it arrived.
    """

    def __init__(self, project: Project, file: ImportFile, new: bool) -> None:
        """`new` tells whether tasks are imported, or already in the project."""
        self._project = project
        self._send = project.import_tasks if new else project.store_predictions
        self._file = file
        self._state = file.path.with_name(file.path.name + ".pushed")
        self._sent, self._sending = self._read_progress()
        self._tasks = file.read_tasks(self._sent)

    def send_batches(self, everything: bool = False) -> None:
        """Send all full batches, or everything."""
        while (size := self._batch_size(everything)) > 0:
            again = self._sending > self._sent
            self._file.flush(sync=True)
            batch = list(islice(self._tasks, size))
            self._write_progress(self._sent, self._sent + size)
            self._send_batch(batch, again)
            self._write_progress(self._sent + size, self._sent + size)

    def _send_batch(self, batch: Sequence[dict[str, Any]], again: bool) -> None:
        """Send a batch, also if that fails for now: an attempt may have stored all of it."""
        attempts = count(int(again))
        self._project.retry(lambda: self._send(batch, next(attempts) > 0))

    def forget_progress(self) -> None:
        """Remove the progress file."""
        self._state.unlink(missing_ok=True)

    def _batch_size(self, everything: bool) -> int:
        if self._sending > self._sent:
            return self._sending - self._sent
        left = self._file.done - self._sent
        return min(left, BATCH_TASKS) if everything or left >= BATCH_TASKS else 0

    def _read_progress(self) -> tuple[int, int]:
        if not self._file.done:
            self._state.unlink(missing_ok=True)
            return 0, 0
        try:
            found = load_line(self._state.read_bytes())
            return found["sent"], found["sending"]
        except FileNotFoundError:
            return 0, 0

    def _write_progress(self, sent: int, sending: int) -> None:
        self._sent, self._sending = sent, sending
        new = Path(f"{self._state}.new")
        new.write_bytes(dump_line({"sent": sent, "sending": sending}))
        new.replace(self._state)
