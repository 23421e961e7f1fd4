"""Annotations of a real Label Studio become models that serve: the button, the editor, and kills.

Small ones of what `python -m tests.bench.training` measures.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.evaluation.dataset.manifest import Manifest
from shared.training.version_store import TrainedVersion
from tests.serving import Served, served

from .editor import Editor
from .label_studio import LabelStudio
from .training_kills import VICTIMS, kill_while_training
from .training_loop import FIRST_UNSEEN, KINDS, PATIENCE_SECONDS, STARTERS, TrainedProject
from .training_server import Latencies, RestartableServer, measured, running

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Json = dict[str, Any]

BACKENDS = ("detection", "ner", "text_classification")
# Enough to learn something: an mAP50 of 0.6; the benchmark measures what the docs promise.
EPOCHS, IMAGE_SIZE = "8", "192"
TRAIN_SECONDS = 500
# Annotated examples of each kind.
COUNTS = {"messages": 60, "sentences": 80, "shapes": 40}
REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def train_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def server(
    label_studio: LabelStudio, train_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server of the three starters, which trains."""
    log = tmp_path_factory.mktemp("server") / "log"
    with served(*BACKENDS, log=log, **variables(label_studio, train_dir)) as running:
        running.wait("/ready", 300)
        yield running


def variables(label_studio: LabelStudio, train_dir: Path) -> dict[str, str]:
    return {
        **STARTERS,
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
        "TRAIN_DIR": str(train_dir),
        "DETECTION_TRAIN_EPOCHS": EPOCHS,
        "DETECTION_IMAGE_SIZE": IMAGE_SIZE,
    }


CreateProject = Callable[..., TrainedProject]


@pytest.fixture(scope="module")
def create(label_studio: LabelStudio, server: Served, train_dir: Path) -> CreateProject:
    def make(kind: str, annotated: int, unlabelled: int = 2) -> TrainedProject:
        return TrainedProject.create(
            label_studio, KINDS[kind], server.url, train_dir, annotated, unlabelled
        )

    return make


@dataclass(frozen=True)
class Trained:
    """A project, the version that it had before its first training, and what became of that."""

    project: TrainedProject
    first: str
    job: Json
    progress: list[Json]


@pytest.fixture(scope="module")
def trained(create: CreateProject) -> Callable[[str], Trained]:
    """Of each kind a project that was trained once."""

    @cache
    def train(kind: str) -> Trained:
        project = create(kind, COUNTS[kind])
        first = project.setup_version()
        project.press()
        job, progress = project.wait_for_job(TRAIN_SECONDS)
        assert job["state"] == "done", f"{job['message']}\n{project.log()}"
        [outcome] = job["result"]["controls"]
        assert outcome["state"] == "serving", outcome
        project.wait_for_version(lambda version: version != first)
        return Trained(project, first, job, progress)

    return train


@pytest.fixture(scope="module")
def messages(trained: Callable[[str], Trained]) -> TrainedProject:
    """A project of texts, trained once."""
    return trained("messages").project


# The button


def test_five_presses_make_one_job(create: CreateProject, server: Served) -> None:
    """While one training runs, the presses for another project wait as one job."""
    busy, project = create("sentences", 40), create("messages", 30)
    busy.press()
    until = time.monotonic() + PATIENCE_SECONDS
    while not any(job["state"] == "running" for job in busy.jobs()):
        assert time.monotonic() < until, busy.jobs()
        time.sleep(0.1)
    for _ in range(5):
        project.press()
    while not (jobs := project.jobs()):
        assert time.monotonic() < until, "no job"
        time.sleep(0.1)
    time.sleep(1)  # enough for a second one, if there were to be one
    jobs = project.jobs()
    assert len(jobs) == 1, jobs
    assert jobs[0]["state"] == "waiting"
    for one in (busy, project):
        [job] = one.jobs()
        answer = httpx.post(f"{server.url}/jobs/{job['id']}/cancel", timeout=PATIENCE_SECONDS)
        assert answer.is_success, answer.text
        assert one.wait_for_job(PATIENCE_SECONDS)[0]["state"] == "cancelled"
        assert one.serving() is None


@pytest.mark.parametrize(
    ("kind", "least"), [("messages", 0.6), ("sentences", 0.5), ("shapes", 0.2)]
)
def test_annotations_become_predictions_in_the_editor(
    kind: str, least: float, trained: Callable[[str], Trained], editor: Editor
) -> None:
    made = trained(kind)
    project, [outcome] = made.project, made.job["result"]["controls"]
    trained_version = project.serving()
    assert trained_version is not None
    epochs = json.loads((trained_version.folder / "metrics.json").read_text())["epochs"]
    if kind == "shapes":  # a single epoch of texts is over before a look at the job sees it
        assert any("epoch" in one for one in made.progress), made.progress
        assert len(epochs) == int(EPOCHS)
    assert epochs
    version = project.setup_version()
    assert outcome["version"] in version
    project.label_studio.backend_state(project.backend)
    state = project.label_studio.request("GET", f"/api/ml/{project.backend}")
    assert state["model_version"] == version, "Label Studio has seen it"
    assert project.score(20) >= least
    project.label_studio.retrieve_predictions(project.number, project.unlabelled)
    shown = 0
    for task in project.unlabelled:
        [stored] = project.label_studio.predictions(task_id=task)
        assert stored["model_version"] == version
        [drawn] = editor.predictions(project.number, task)
        assert len(drawn) == len(stored["result"])
        assert {label for one in drawn for label in labels_of(one)} <= set(project.kind.labels)
        shown += len(drawn)
    assert shown


def labels_of(result: dict[str, Any]) -> list[str]:
    value = result["value"]
    return [
        label for key in ("rectanglelabels", "labels", "choices") for label in value.get(key, ())
    ]


# Back to what served before


def test_rollback_takes_seconds(messages: TrainedProject) -> None:
    trained = messages.setup_version()
    version = messages.serving()
    assert version is not None
    words = ["models", "rollback", "--project", str(messages.number)]
    run_prelabel(*words, train_dir=messages.train_dir)
    # What the command itself takes is Python's start, seconds on a busy machine; as is an answer.
    waited = messages.wait_for_version(lambda one: version.name not in one)
    one_answer = messages.wait_for_version(lambda one: version.name not in one)
    assert waited < 5 + 10 * one_answer
    assert messages.serving() is None
    run_prelabel(
        "models",
        "promote",
        "--project",
        str(messages.number),
        version.name,
        train_dir=messages.train_dir,
    )
    messages.wait_for_version(lambda one: one == trained)


def run_prelabel(*words: str, train_dir: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", *words],
        env=os.environ | {"TRAIN_DIR": str(train_dir), "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


# While it trains, and what does not serve


@dataclass(frozen=True)
class Shuffled:
    """A training on shuffled annotations: what answers took before it and meanwhile, its end.

    `serving` and `version` are what served before.
    """

    idle: Latencies
    busy: Latencies
    outcome: Json
    serving: TrainedVersion
    version: str


@pytest.fixture(scope="module")
def shuffled(messages: TrainedProject, server: Served) -> Shuffled:
    """Shuffle the annotations that are learned from, train, and predict meanwhile.

    They stay shuffled: this is the project's last training.
    """
    serving, version = messages.serving(), messages.setup_version()
    assert serving is not None
    shuffle_annotations(messages)
    bodies = [
        {
            "tasks": [{"id": 1, "data": messages.kind.data(messages.kind.make(FIRST_UNSEEN + n))}],
            "project": messages.key,
            "label_config": messages.kind.config,
        }
        for n in range(2000)
    ]
    with measured(server.url, bodies) as idle:
        time.sleep(5)
    with measured(server.url, bodies[1000:]) as busy:
        outcome = messages.train(TRAIN_SECONDS)
    return Shuffled(idle, busy, outcome, serving, version)


def shuffle_annotations(project: TrainedProject) -> None:
    """Shuffle the annotations that are learned from, not those that are held out."""
    held_out = held_out_tasks(project)
    learned = [task for task in project.annotated if task not in held_out]
    annotations = project.annotations()
    results = [annotations[task]["result"] for task in learned]
    for task, others in zip(learned, random.Random(0).sample(results, len(results)), strict=True):
        project.change_annotation(annotations[task], others)


def test_users_and_probes_do_not_notice_a_training(shuffled: Shuffled) -> None:
    """Far from the bounds of the benchmark, which needs a quiet machine."""
    idle, busy = shuffled.idle, shuffled.busy
    assert len(busy.probes) > 50
    assert busy.probe_p99 < max(0.5, 5 * idle.probe_p99), sorted(busy.probes)[-10:]
    assert busy.prediction_p95 < 5 * idle.prediction_p95 + 0.1


def test_shuffled_labels_are_not_served(shuffled: Shuffled, messages: TrainedProject) -> None:
    """What is held out says that they are."""
    assert shuffled.outcome["state"] == "candidate", shuffled.outcome
    assert "it is not better" in shuffled.outcome["reason"]
    assert messages.serving() == shuffled.serving
    assert messages.setup_version() == shuffled.version


def held_out_tasks(project: TrainedProject) -> set[int]:
    version = project.serving()
    assert version is not None
    entries = Manifest.read(version.folder / "manifest.json").entries
    return {int(entry.id) for entry in entries if entry.part == "test"}


# Kills

# What a kill does is not of the backend: this one needs no network library.
KILLED = KINDS["series"]


@pytest.fixture(scope="module")
def killable(
    label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RestartableServer]:
    folder = tmp_path_factory.mktemp("killable")
    server = RestartableServer(
        [KILLED.backend], folder / "log", variables(label_studio, folder / "training")
    )
    with running(server):
        yield server


@pytest.fixture(scope="module")
def killed_project(label_studio: LabelStudio, killable: RestartableServer) -> TrainedProject:
    """A project that has a model of its own already."""
    train_dir = Path(killable.variables["TRAIN_DIR"])
    project = TrainedProject.create(label_studio, KILLED, killable.url, train_dir, 20)
    outcome = project.train(TRAIN_SECONDS)
    assert outcome["state"] == "serving", outcome
    project.wait_for_version(lambda version: outcome["version"] in version)
    return project


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_loses_nothing(
    victim: str, killed_project: TrainedProject, killable: RestartableServer
) -> None:
    # In its first half; earlier if a training was so much faster than those before that it had
    # ended already.
    moment = random.Random(victim).uniform(0.05, 0.5)
    assert any(
        kill_while_training(killed_project, killable, victim, moment / 3**tried)
        for tried in range(3)
    ), "it had ended already each time"
