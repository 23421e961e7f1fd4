"""Projects that become models: annotated examples, the button, and what comes of it."""

import base64
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson

from shared.cli.demo.training_data import messages, sentences, shapes
from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.jobs.job_store import JobStore
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project_key import project_key
from shared.media.reader import MediaReader
from shared.settings import Settings
from shared.training.version_store import TrainedVersion, VersionStore
from tests.timeseries.drawing import ACTIVITIES, Drawn, draw_activities, label_config

from .label_studio import LabelStudio

Json = dict[str, Any]
# Far from the numbers of the examples that are learned from.
FIRST_UNSEEN = 100_000
# What anything but a training may take on a machine that is busy otherwise.
PATIENCE_SECONDS = 180.0
# Of requests. Without `verify`, each would read all certificates first.
OPTIONS: Json = {"timeout": PATIENCE_SECONDS, "trust_env": False, "verify": False}
# Between two looks at a job.
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Kind:
    """One kind of project: its label config, and the examples, made from a number each."""

    backend: str
    control: str
    config: str
    labels: Sequence[str]
    key: str
    make: Callable[[int], Any]
    figure: str

    def data(self, example: Any) -> Json:
        """Return a task's data, which hold the picture or the series themselves."""
        if self.key == "text":
            return {"text": example.text}
        if self.key == "series":
            return {"series": example.columns()}
        return {"image": f"data:image/png;base64,{base64.b64encode(example.png()).decode()}"}


def draw_series(seed: int) -> Drawn:
    """Draw a short series of three activities."""
    return draw_activities(np.random.default_rng(seed), 400)


KINDS = {
    "shapes": Kind(
        "detection", "shape", shapes.LABEL_CONFIG, shapes.LABELS, "image", shapes.draw_picture,
        "ap50",
    ),
    "sentences": Kind(
        "ner", "kind", sentences.LABEL_CONFIG, sentences.LABELS, "text", sentences.write_sentence,
        "f1",
    ),
    "messages": Kind(
        "text_classification", "topic", messages.LABEL_CONFIG, messages.LABELS, "text",
        messages.write_message, "accuracy",
    ),
    # Whose server and trainings need no network library, so that they start at once.
    "series": Kind(
        "timeseries", "label", label_config(ACTIVITIES, 2), ACTIVITIES, "series", draw_series, "f1",
    ),
}  # fmt: skip
# What lets each of the backends serve its starter model, from which a training may go on.
STARTERS = {
    "DETECTION_MODEL": "starter",
    "NER_MODEL": "starter",
    "TEXT_CLASSIFICATION_MODEL": "starter",
}


@dataclass
class TrainedProject:
    """A project with annotated tasks, connected to a server that trains in `train_dir`."""

    label_studio: LabelStudio
    kind: Kind
    url: str
    train_dir: Path
    number: int = 0
    backend: int = 0
    annotated: list[int] = field(default_factory=list)
    unlabelled: list[int] = field(default_factory=list)

    @classmethod
    def create(
        cls,
        label_studio: LabelStudio,
        kind: Kind,
        url: str,
        train_dir: Path,
        annotated: int,
        unlabelled: int = 3,
    ) -> "TrainedProject":
        """Make the project, its tasks, annotations of the first ones, and connect the server."""
        project = cls(label_studio, kind, url, train_dir)
        project.number = label_studio.create_project("Training", kind.config)
        examples = [kind.make(seed) for seed in range(annotated + unlabelled)]
        tasks = (
            project._upload(examples, annotated)
            if kind.key == "image"
            else project._import(examples, annotated)
        )
        project.annotated, project.unlabelled = tasks[:annotated], tasks[annotated:]
        project.backend = int(label_studio.connect_backend(project.number, url)["id"])
        return project

    def _import(self, examples: Sequence[Any], annotated: int) -> list[int]:
        """Import texts or series, the first ones with their annotations."""
        tasks = [
            {
                "data": self.kind.data(one),
                "annotations": [_annotation(one.results())] if number < annotated else [],
            }
            for number, one in enumerate(examples)
        ]
        return self.label_studio.import_tasks(self.number, tasks)

    def _upload(self, examples: Sequence[Any], annotated: int) -> list[int]:
        """Upload pictures, and annotate the first ones."""
        folder = self.label_studio.folder / f"pictures-{self.number}"
        folder.mkdir()
        paths = [folder / f"{number:04}.png" for number in range(len(examples))]
        for path, one in zip(paths, examples, strict=True):
            path.write_bytes(one.png())
        tasks = self.label_studio.upload(self.number, paths)
        for task, example in zip(tasks[:annotated], examples, strict=False):
            self.annotate(task, example.results())
        return tasks

    def annotate(self, task: int, results: Sequence[Json]) -> None:
        """Submit an annotation as the editor does."""
        path = f"/api/tasks/{task}/annotations/?project={self.number}"
        self.label_studio.request("POST", path, json=_annotation(results))

    def annotations(self) -> dict[int, Json]:
        """Return the annotation of each task that has one."""
        path = f"/api/projects/{self.number}/export"
        exported = self.label_studio.request("GET", path, params={"exportType": "JSON"})
        return {task["id"]: task["annotations"][0] for task in exported if task["annotations"]}

    def change_annotation(self, annotation: Json, results: Sequence[Json]) -> None:
        """Let other results take the place of an annotation's."""
        path = f"/api/annotations/{annotation['id']}/"
        self.label_studio.request("PATCH", path, json={"result": list(results)})

    @cached_property
    def key(self) -> str:
        """What Label Studio sends as `project`."""
        return project_key(self.label_studio.request("GET", f"/api/projects/{self.number}/"))

    # The button

    def press(self) -> None:
        """Send what "Start Training" in Settings → Model sends."""
        self.label_studio.request("POST", f"/api/ml/{self.backend}/train", json={})

    def jobs(self) -> list[Json]:
        """Return this project's jobs as the server tells them, the newest first."""
        answer = httpx.get(f"{self.url}/jobs", **OPTIONS).raise_for_status()
        return [job for job in answer.json()["jobs"] if job["key"] == self.key]

    def wait_for_job(self, seconds: float) -> tuple[Json, list[Json]]:
        """Return the newest job when it has ended, and each progress that it reported meanwhile."""
        seen: list[Json] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job = next(iter(self.jobs()), None)
            if job is not None:
                progress = job.get("progress", {})
                if progress and progress not in seen:
                    seen.append(progress)
                if job["state"] in {"done", "failed", "cancelled"}:
                    return job, seen
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"no job has ended in {seconds:.0f} s: {self.jobs()}\n{self.log()}")

    def train(self, seconds: float) -> Json:
        """Press the button, and return what became of the control tag."""
        before = {job["id"] for job in self.jobs()}
        self.press()
        until = time.monotonic() + PATIENCE_SECONDS
        while {job["id"] for job in self.jobs()} == before and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        job, _ = self.wait_for_job(seconds)
        assert job["state"] == "done", f"{job['message']}\n{self.log()}"
        [outcome] = job["result"]["controls"]
        return dict(outcome)

    def log(self) -> str:
        """Return the log of the newest job."""
        store = JobStore(self.train_dir)
        jobs = [job for job in store.list_jobs() if job.key == self.key]
        newest = max(jobs, key=lambda job: job.id, default=None)
        if newest is None:
            return "no job"
        log = store.folder(newest.id).log
        return log.read_text(errors="replace")[-6000:] if log.exists() else "no log"

    # What serves

    @property
    def store(self) -> VersionStore:
        return VersionStore(self.train_dir)

    def serving(self) -> TrainedVersion | None:
        """Return the trained version that serves the control tag."""
        return self.store.serving_versions(self.key).get(self.kind.control)

    def setup_version(self) -> str:
        """Return the model version that the server says to this project."""
        body = {"project": self.key, "schema": self.kind.config, "extra_params": {}}
        answer = httpx.post(f"{self.url}/setup", json=body, **OPTIONS)
        return str(answer.raise_for_status().json()["model_version"])

    def wait_for_version(
        self, wanted: Callable[[str], bool], seconds: float = PATIENCE_SECONDS
    ) -> float:
        """Wait until /setup says such a version, and return how long that took."""
        start = time.monotonic()
        while not wanted(version := self.setup_version()):
            waited = time.monotonic() - start
            assert waited < seconds, f"after {waited:.0f} s the version is {version}"
            time.sleep(0.1)
        return time.monotonic() - start

    def predict(self, examples: Sequence[Any]) -> list[Any]:
        """Return the predictions of the server for new tasks."""
        tasks = [{"id": n, "data": self.kind.data(one)} for n, one in enumerate(examples, 1)]
        body = {"tasks": tasks, "project": self.key, "label_config": self.kind.config}
        answer = httpx.post(f"{self.url}/predict", json=body, **OPTIONS)
        return list(answer.raise_for_status().json()["results"])

    def score(self, count: int) -> float:
        """Return the kind's figure on `count` unseen examples: mAP50, F1 or accuracy."""
        examples = [self.kind.make(FIRST_UNSEEN + number) for number in range(count)]
        found = self.predict(examples)
        assert all(isinstance(one, dict) for one in found), found
        config, problems = LabelConfig.parse(self.kind.config), ProblemLog()
        evaluation = Evaluation(config, versions=["served"])
        with closing(MediaReader(Settings())) as media:
            reader = TaskReader(config, media, problems)
            for number, (example, answer) in enumerate(zip(examples, found, strict=True)):
                raw = {
                    "id": number,
                    "data": self.kind.data(example),
                    "annotations": [{"id": number, "result": example.results()}],
                    "predictions": [{"model_version": "served", "result": answer["result"]}],
                }
                task = reader.read(orjson.loads(orjson.dumps(raw)), number)
                assert task is not None
                evaluation.add(task)
        report = evaluation.report()["versions"]["served"]["controls"][self.kind.control]
        return float(report[self.kind.figure])


def _annotation(results: Sequence[Json]) -> Json:
    return {"result": list(results), "lead_time": 1.0}
