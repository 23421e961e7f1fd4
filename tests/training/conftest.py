"""Trainings in this process, on a TRAIN_DIR of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from shared.backend.base import Backend
from shared.jobs.context import JobContext
from shared.jobs.job import Job
from shared.jobs.job_store import JobStore
from shared.jobs.log_stream import Redactor
from shared.pipeline.runtime import reset_runtime
from shared.training import leavings
from shared.training.source import TrainingSource
from shared.training.trainable import ServingBackends
from shared.training.training_job import ProjectTraining
from shared.training.version_store import VersionStore

from .words import CONFIG, WordsBackend, write_export

KEY = "7.1700000000"


@dataclass
class Trainings:
    """Runs jobs of one project, one after the other, as the job's process does."""

    folder: Path
    backends: Sequence[type[Backend]] = (WordsBackend,)
    attempts: int = 1
    key: str = KEY
    context: JobContext = field(init=False)
    progress: list[dict[str, Any]] = field(default_factory=list)

    @property
    def store(self) -> VersionStore:
        return VersionStore(self.folder / "training")

    def reset(self) -> None:
        """Read the environment again."""
        reset_runtime()

    def run(
        self, tasks: Sequence[Mapping[str, Any]], xml: str = CONFIG, **arguments: Any
    ) -> Mapping[str, Any]:
        """Train from an export file; the job's result."""
        file = write_export(self.folder, tasks)
        source = TrainingSource(None, (str(file),), xml)
        return self.run_source(source, **arguments)

    def run_source(self, source: TrainingSource, **arguments: Any) -> Mapping[str, Any]:
        jobs = JobStore(self.folder / "training")
        number = f"training {len(jobs.list_jobs())}"  # so that no job waits already
        job, _ = jobs.find_or_create(Job("", number, self.key, "", source.to_json() | arguments))
        job = replace(job, attempts=self.attempts)
        folder = jobs.folder(job.id)
        folder.clear_work()
        self.context = _Context(job, folder, Redactor({}), self.progress)
        names = [cls.name for cls in self.backends]
        try:
            return ProjectTraining(self.context, ServingBackends(self.backends, names)).run()
        finally:
            folder.clear()

    def outcome(self, tasks: Sequence[Mapping[str, Any]], xml: str = CONFIG) -> dict[str, Any]:
        """Train from an export file; what became of the only control tag."""
        [outcome] = self.run(tasks, xml)["controls"]
        return dict(outcome)


class _Context(JobContext):
    """Keeps all progress, too."""

    def __init__(self, job: Job, folder: Any, redactor: Redactor, seen: list[Any]) -> None:
        super().__init__(job, folder, redactor)
        self._seen = seen

    def report(self, **progress: Any) -> None:
        self._seen.append(progress)
        super().report(**progress)


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    """Trainings without their pictures, which take longer to draw than all the rest.

    Those are drawn in test_leavings.py and tests/cli/test_train.py.
    """
    monkeypatch.setattr(leavings, "draw_pictures", lambda *_: [])
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    reset_runtime()
    WordsBackend.runs.clear()
    yield Trainings(tmp_path)
    WordsBackend.before = WordsBackend.after = None
