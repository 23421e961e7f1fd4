"""`prelabel work` and jobs in a real Label Studio, as long as users have them: minutes.

    python -m tests.bench.workers [--quick]

Two workers on 1,000 tasks, one of which is killed twice, where Label Studio's protections are as it
ships them; and 300 tasks that take three minutes, after one press.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.bench.table import Row, Size, show, size_of, sized
from tests.e2e.conftest import DEFAULT_ENVIRONMENT
from tests.e2e.label_studio import LabelStudio
from tests.e2e.slow_backend import CONFIG, install
from tests.e2e.test_work import add_tasks, work
from tests.serving import served

# As Label Studio has them where nobody sets them.
PROTECTED = {"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"}
WAIT_SECONDS = 3600.0


def proofs(size: Size) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as name,
        LabelStudio(DEFAULT_ENVIRONMENT, settings=PROTECTED) as label_studio,
    ):
        yield from killed_workers(label_studio, Path(name), sized(size, 1000, 300, 100))
    with tempfile.TemporaryDirectory() as name, LabelStudio(DEFAULT_ENVIRONMENT) as label_studio:
        yield from one_press(label_studio, Path(name), *sized(size, (300, 0.6), (60, 0.6), (9, 1)))


def killed_workers(label_studio: LabelStudio, folder: Path, tasks: int) -> Iterator[Row]:
    project = label_studio.create_project("workers", CONFIG)
    add_tasks(label_studio, project, tasks)
    start = time.monotonic()
    stays = work(label_studio, folder, "--project", project, "--once", seconds=0.1)
    for share in (0.2, 0.6):
        killed = work(label_studio, folder, "--project", project, "--once", seconds=0.1)
        wait_until(lambda share=share: count(label_studio, project) >= share * tasks)
        killed.kill()
        killed.communicate()
    last = work(label_studio, folder, "--project", project, "--once", seconds=0.1)
    for worker in (stays, last):
        said = worker.communicate(timeout=WAIT_SECONDS)[0]
        assert worker.returncode == 0, said
    took = time.monotonic() - start
    name = f"two workers, {tasks:,} tasks, one of the workers killed twice"
    yield from stored_rows(name, label_studio, project, tasks)
    yield Row(name, "s", (took,))


def one_press(label_studio: LabelStudio, folder: Path, tasks: int, seconds: float) -> Iterator[Row]:
    """`seconds` is what a task takes."""
    project = label_studio.create_project("press", CONFIG)
    add_tasks(label_studio, project, tasks)
    variables = {
        **install(folder, seconds),
        "TRAIN_DIR": str(folder / "training"),
        "PREDICT_IN_BACKGROUND": "true",
        "PREDICT_DEADLINE": "20",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    with served("slow", log=folder / "log", **variables) as server:
        server.wait()
        label_studio.connect_backend(project, server.url)
        start = time.monotonic()
        label_studio.retrieve_predictions(project)
        seen: list[float] = []

        def is_done() -> bool:
            [job] = httpx.get(f"{server.url}/jobs", timeout=60).json()["jobs"]
            seen.append(float(job["progress"].get("fraction", 0.0)))
            return bool(job["state"] == "done")

        wait_until(is_done)
        took = time.monotonic() - start
    name = f"one press, {tasks:,} tasks that take {tasks * seconds / 60:.2g} minutes"
    yield from stored_rows(name, label_studio, project, tasks)
    yield Row(f"{name}, different shares at /jobs", "", (float(len(set(seen))),), at_least=3)
    yield Row(name, "s", (took,))


def stored_rows(name: str, label_studio: LabelStudio, project: int, tasks: int) -> Iterator[Row]:
    stored = Counter(one["task"] for one in label_studio.predictions(project))
    lacking, doubled = tasks - len(stored), sum(stored.values()) - len(stored)
    yield Row(f"{name}, lacking", "tasks", (float(lacking),), at_most=0)
    yield Row(f"{name}, doubled", "tasks", (float(doubled),), at_most=0)


def count(label_studio: LabelStudio, project: int) -> int:
    found = label_studio.request("GET", f"/api/projects/{project}/")
    return int(found["total_predictions_number"])


def wait_until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


if __name__ == "__main__":
    show(proofs(size_of(sys.argv)))
