"""The backend that docs/add-a-backend.md makes, connected to a real Label Studio."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ..documents.add_a_backend import guide_environment, run_python
from .label_studio import LabelStudio, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_guide_ends_in_label_studio(
    label_studio: LabelStudio, guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mood = guide / "backends" / "mood"
    project = label_studio.create_project("Mood", (mood / "label_config.xml").read_text())
    tasks = label_studio.import_tasks(project, json.loads((mood / "tasks.json").read_text()))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "shared.cli", "serve", "mood", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=guide, env=guide_environment(guide), stdout=log, stderr=log
        )
    try:
        wait(f"{url}/health")
        label_studio.connect_backend(project, url)
        monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
        words = ["--url", url, "--project", str(project)]
        said = run_python(guide, "-m", "shared.cli", "doctor", *words)
        assert "good → Pleased" in said
        assert "bad → Annoyed" in said
        label_studio.retrieve_predictions(project, tasks)
    finally:
        server.terminate()
        server.wait(30)
    stored = label_studio.predictions(project)
    moods = [prediction["result"][0]["value"]["choices"] for prediction in stored]
    assert moods == [["Pleased"], ["Annoyed"]]


def wait(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
