"""The backend that docs/add-a-backend.md makes, connected to a real Label Studio."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..documents.add_a_backend import guide_environment, run_python
from .label_studio import LabelStudio, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


# Moods by words that the first weights do not know.
MOODS = {"Pleased": ("splendid", "charming"), "Annoyed": ("dreary", "tedious")}
SUBJECTS = (
    *("The weather", "My room", "This street", "The journey", "Her speech", "Our dinner"),
    *("That film", "The hotel", "His letter", "The garden", "Their song", "The morning"),
)


def test_the_guide_ends_in_label_studio(
    label_studio: LabelStudio, guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mood = guide / "backends" / "mood"
    project = label_studio.create_project("Mood", (mood / "label_config.xml").read_text())
    tasks = label_studio.import_tasks(project, json.loads((mood / "tasks.json").read_text()))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "shared.cli", "serve", "mood", "--port", str(port)]
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=guide, env=guide_environment(guide), stdout=log, stderr=log
        )
    try:
        wait(f"{url}/health")
        model = label_studio.connect_backend(project, url)["id"]
        words = ["--url", url, "--project", str(project)]
        said = run_python(guide, "-m", "shared.cli", "doctor", *words)
        assert "good → Pleased" in said
        assert "bad → Annoyed" in said
        label_studio.retrieve_predictions(project, tasks)
        assert stored_moods(label_studio, project) == ["Pleased", "Annoyed"]
        unseen = train_from_annotations(label_studio, project, model, url)
        label_studio.retrieve_predictions(project, unseen)
    finally:
        server.terminate()
        server.wait(30)
    assert stored_moods(label_studio, project)[2:] == list(MOODS)


def stored_moods(label_studio: LabelStudio, project: int) -> list[str]:
    """Return the moods of the stored predictions, in the order of their tasks."""
    stored = sorted(label_studio.predictions(project), key=lambda one: int(one["task"]))
    return [one["result"][0]["value"]["choices"][0] for one in stored]


def train_from_annotations(
    label_studio: LabelStudio, project: int, model: int, url: str
) -> list[int]:
    """Annotate texts, press the button, and return a task of each mood when the result serves."""
    examples = [
        (mood, f"{subject} was {word}")
        for mood, words in MOODS.items()
        for word in words
        for subject in SUBJECTS
    ]
    tasks = label_studio.import_tasks(project, [{"data": {"text": text}} for _, text in examples])
    for task, (mood, _) in zip(tasks, examples, strict=True):
        value = {"choices": [mood]}
        names = {"from_name": "mood", "to_name": "text", "type": "choices"}
        label_studio.client.annotations.create(task, result=[{**names, "value": value}])
    label_studio.request("POST", f"/api/ml/{model}/train", json={})
    until = time.monotonic() + 300
    jobs: list[dict[str, Any]] = []
    while not jobs or jobs[0]["state"] in {"waiting", "running"}:
        assert time.monotonic() < until, jobs
        time.sleep(0.2)
        jobs = httpx.get(f"{url}/jobs").json()["jobs"]
    [job] = jobs
    assert job["state"] == "done", job
    [outcome] = job["result"]["controls"]
    assert outcome["state"] == "serving", outcome
    version = outcome["version"]
    while version not in label_studio.backend_state(model)["model_version"]:
        assert time.monotonic() < until
        time.sleep(0.2)
    texts = [{"data": {"text": f"The view was {words[0]}"}} for words in MOODS.values()]
    return label_studio.import_tasks(project, texts)


def wait(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
