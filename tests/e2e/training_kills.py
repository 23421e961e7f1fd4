"""Kills the trainer, the server, or both while a project is trained; nothing may be lost."""

import json
import time
from pathlib import Path

from shared.jobs.job import Job
from shared.jobs.job_store import JobStore

from .training_loop import FIRST_UNSEEN, LOOK_SECONDS, PATIENCE_SECONDS, TrainedProject
from .training_server import RestartableServer, kill_trainer

VICTIMS = ("trainer", "server", "both")
TRAIN_SECONDS = 300.0
# Unseen examples whose predictions are compared, and what a better model may lose on them.
UNSEEN_COUNT, MAX_LOSS = 30, 0.1


def kill_while_training(
    project: TrainedProject, server: RestartableServer, victim: str, when: float
) -> bool:
    """Kill at a moment of a training (0 its start, 1 its end as those before took).

    Return whether the training was still running then: if not, nothing of it was killed.
    AssertionError if anything is lost or broken afterwards.
    """
    before = project.store.list_versions(project.key)
    serving = project.serving()
    assert serving is not None
    seconds, answers, score = (
        _unharmed_seconds(project),
        _answers(project),
        project.score(UNSEEN_COUNT),
    )
    project.press()
    job = _wait_for_process(project)
    assert job.pid is not None
    time.sleep(seconds * when)
    hit = not JobStore(project.train_dir).find(job.id).is_finished
    if victim != "trainer":
        server.kill()
    if victim != "server":
        hit = kill_trainer(job.pid)
    check_store(project.train_dir)
    if victim != "trainer":
        server.start()
    if project.serving() == serving:
        assert _answers(project) == answers, "what served before the kill serves on"
    ended, _ = project.wait_for_job(TRAIN_SECONDS)
    assert ended["state"] == "done", f"{ended['message']}\n{project.log()}"
    if victim != "server":
        hit = ended["attempts"] == 2  # else its work was done when the kill came
    check_store(project.train_dir)
    after = {version.name for version in project.store.list_versions(project.key)}
    assert len(after) >= min(len(before) + 1, 5), (before, after)
    assert serving.name in after, "what serves, or has served last, is kept"
    assert project.score(UNSEEN_COUNT) >= score - MAX_LOSS
    return hit


def _answers(project: TrainedProject) -> list[object]:
    """Return what the server says of unseen examples, without scores and versions."""
    examples = [project.kind.make(FIRST_UNSEEN + number) for number in range(UNSEEN_COUNT)]
    return [[one["value"] for one in answer["result"]] for answer in project.predict(examples)]


def _unharmed_seconds(project: TrainedProject) -> float:
    """Return how long the shortest training took that ended by itself."""
    return float(min(job["seconds"] for job in project.jobs() if job["attempts"] == 1))


def _wait_for_process(project: TrainedProject) -> Job:
    """Return the newest job when its process has taken it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        jobs = [job for job in JobStore(project.train_dir).list_jobs() if job.key == project.key]
        newest = max(jobs, key=lambda job: job.id)
        if newest.pid and not newest.is_finished:
            return newest
        time.sleep(LOOK_SECONDS / 10)
    raise AssertionError("no process has taken the job")


def check_store(train_dir: Path) -> None:
    """Check that each version is whole, and that what serves is there."""
    for file in train_dir.glob("projects/*/serving.json"):
        for control, name in json.loads(file.read_text())["serving"].items():
            assert not name or (file.parent / control / name / "version.json").is_file()
    for folder in train_dir.glob("projects/*/*/v*"):
        assert json.loads((folder / "version.json").read_text())["name"] == folder.name
        assert any(path.is_file() for path in (folder / "weights").rglob("*")), folder
        assert (folder / "manifest.json").is_file(), folder
        assert (folder / "metrics.json").is_file(), folder
