"""From annotations to a model that serves: python -m tests.bench.training

A real Label Studio, its button's own request, and what the model that comes of it finds in examples
that it has not seen. While the trainings run, a user predicts one task after the other, and probes
ask for /health; afterwards the trainer, the server and both are killed at random moments.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from shared.training.version_store import VersionStore
from tests.bench.table import Row, Size, show, size_of, sized
from tests.e2e.conftest import DEFAULT_ENVIRONMENT
from tests.e2e.label_studio import LabelStudio
from tests.e2e.training_kills import VICTIMS, kill_while_training
from tests.e2e.training_loop import (
    FIRST_UNSEEN,
    KINDS,
    LOOK_SECONDS,
    STARTERS,
    TrainedProject,
)
from tests.e2e.training_server import Latencies, RestartableServer, measured, running

# By kind: how many examples are annotated, what they are called, the least figure on 100 unseen
# ones, and the most minutes.
PROMISES = {
    "messages": (60, "60 texts of three classes, accuracy", 0.9, 2.0),
    "sentences": (200, "200 sentences with two kinds of entity, F1", 0.85, 10.0),
    "shapes": (60, "60 pictures of three shapes, mAP50", 0.8, 15.0),
    # Whose server and trainings import no network library: for the smallest size, which bounds
    # nothing.
    "series": (20, "20 series of three activities, F1", 0.0, 15.0),
}
UNSEEN_COUNT = 100
PRESSES = 5
KILLS = 20
TRAIN_SECONDS = 3600.0
SERVED_SECONDS = 120.0
IDLE_SECONDS = 20.0


def rows(size: Size) -> Iterator[Row]:
    kinds = sized(size, ["messages", "sentences", "shapes"], ["messages", "sentences"], ["series"])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        label_studio = stack.enter_context(LabelStudio(DEFAULT_ENVIRONMENT))
        bench = Bench(label_studio, folder, kinds)
        stack.enter_context(running(bench.server))
        for kind in kinds:
            yield from bench.train(kind)
        yield from bench.answer_times(sized(size, PRESSES, PRESSES, 1))
        yield from bench.load_rows(
            sized(size, IDLE_SECONDS, 10.0, 1.0), sized(size, 4000, 4000, 100)
        )
        yield bench.memory_row(sized(size, 10.0, 10.0, 0.0))
        yield bench.rollback_row()
        yield from bench.kill_rows(
            sized(size, KILLS, 3, 0)
        )  # tests/e2e/test_training.py kills, too


class Bench:
    """One Label Studio, one server, and a project of each kind, the quickest first."""

    def __init__(self, label_studio: LabelStudio, folder: Path, kinds: list[str]) -> None:
        self.label_studio = label_studio
        self.train_dir = folder / "training"
        self.projects: dict[str, TrainedProject] = {}
        self.server = RestartableServer(
            [KINDS[kind].backend for kind in kinds],
            folder / "log",
            {
                **STARTERS,
                "LABEL_STUDIO_URL": label_studio.url,
                "LABEL_STUDIO_API_KEY": label_studio.token,
                "TRAIN_DIR": str(self.train_dir),
            },
        )

    def train(self, kind: str) -> Iterator[Row]:
        """Train a project of one kind from nothing."""
        count, name, least, minutes = PROMISES[kind]
        project = TrainedProject.create(
            self.label_studio, KINDS[kind], self.server.url, self.train_dir, count, 0
        )
        self.projects[kind] = project
        start = time.monotonic()
        outcome = project.train(TRAIN_SECONDS)
        took = (time.monotonic() - start) / 60
        if outcome["state"] == "serving":
            project.wait_for_version(lambda version: outcome["version"] in version, SERVED_SECONDS)
        figure = project.score(UNSEEN_COUNT)
        yield Row(f"training: {name} on 100 unseen ones", "", (figure,), at_least=least)
        yield Row(f"training: {name}, minutes", "min", (took,), at_most=minutes)

    @property
    def _quickest(self) -> TrainedProject:
        return next(iter(self.projects.values()))

    def _train_again(self, project: TrainedProject) -> None:
        before = len(project.jobs())
        project.press()
        self._end_training(project, before)

    def _end_training(self, project: TrainedProject, before: int) -> None:
        """Wait for the end of a job that was pressed for after so many others."""
        until = time.monotonic() + SERVED_SECONDS
        while len(project.jobs()) == before:
            assert time.monotonic() < until, "no job"
            time.sleep(LOOK_SECONDS)
        ended, _ = project.wait_for_job(TRAIN_SECONDS)
        assert ended["state"] == "done", ended["message"]

    def answer_times(self, presses: int) -> Iterator[Row]:
        """Send what the button sends, to the server itself, while a training waits."""
        project = self._quickest
        details = self.label_studio.request("GET", f"/api/projects/{project.number}/")
        body = {"action": "START_TRAINING", "project": details}
        seconds, before = [], len(project.jobs())
        for _ in range(presses):
            start = time.perf_counter()
            httpx.post(f"{self.server.url}/webhook", json=body).raise_for_status()
            seconds.append(time.perf_counter() - start)
        jobs = [job for job in project.jobs() if job["state"] in {"waiting", "running"}]
        self._end_training(project, before)
        pressed = "five presses" if presses == PRESSES else "a press"
        slowest = max(seconds) * 1000
        yield Row(f"training: the slowest answer to {pressed}", "ms", (slowest,), at_most=200)
        yield Row(f"training: jobs that {pressed} make", "", (float(len(jobs)),), at_most=2)

    def load_rows(self, idle_seconds: float, count: int) -> Iterator[Row]:
        """Compare what users and probes wait while nothing is trained, and while it is."""
        project = self.projects.get("sentences", self._quickest)
        bodies = self._requests(project, count)
        with measured(self.server.url, bodies) as idle:
            time.sleep(idle_seconds)
        with measured(self.server.url, bodies[len(bodies) // 2 :]) as busy:
            self._train_again(project)
        yield from _latency_rows(idle, busy)

    def _requests(self, project: TrainedProject, count: int) -> list[dict[str, Any]]:
        """Return requests for single tasks, none of them twice."""
        examples = [project.kind.make(2 * FIRST_UNSEEN + number) for number in range(count)]
        return [
            {
                "tasks": [{"id": number, "data": project.kind.data(example)}],
                "project": project.key,
                "label_config": project.kind.config,
            }
            for number, example in enumerate(examples)
        ]

    def memory_row(self, settle_seconds: float) -> Row:
        """Compare the server's memory after one more training with that before."""
        self._quickest.score(UNSEEN_COUNT)
        before = self.server.memory_mb()
        self._train_again(self._quickest)
        self._quickest.score(UNSEEN_COUNT)
        time.sleep(settle_seconds)  # what is unused is unloaded by then
        after = self.server.memory_mb()
        name = "training: the server's memory afterwards"
        return Row(name, "MB", (after,), (before,), "before", at_most=1.05)

    def rollback_row(self) -> Row:
        """Measure how long it takes until the version before serves."""
        project, store = self._quickest, VersionStore(self.train_dir)
        serving = project.serving()
        assert serving is not None
        start = time.monotonic()
        store.roll_back(project.key, project.kind.control)
        project.wait_for_version(lambda version: serving.name not in version, SERVED_SECONDS)
        took = time.monotonic() - start
        store.promote(serving)
        project.wait_for_version(lambda version: serving.name in version, SERVED_SECONDS)
        return Row("training: a rollback", "s", (took,), at_most=5)

    def kill_rows(self, count: int) -> Iterator[Row]:
        """Kill the trainer, the server or both during the quickest trainings."""
        rng = random.Random(0)
        hits = tried = 0
        while hits < count and tried < 3 * count:  # a training may end before its kill
            victim = VICTIMS[hits % len(VICTIMS)]
            hits += kill_while_training(self._quickest, self.server, victim, rng.random())
            tried += 1
        name = "training: kills of the trainer, the server or both, after which all is well"
        yield Row(name, "", (float(hits),), at_least=count)


def _latency_rows(idle: Latencies, busy: Latencies) -> Iterator[Row]:
    yield Row("training: p99 of probes meanwhile", "ms", (busy.probe_p99 * 1000,), at_most=100)
    yield Row(
        "training: p95 of a user's predictions meanwhile",
        "ms",
        (busy.prediction_p95 * 1000,),
        (idle.prediction_p95 * 1000,),
        "idle",
        at_most=2,
    )


if __name__ == "__main__":
    show(rows(size_of(sys.argv[1:])), "--markdown" in sys.argv)
