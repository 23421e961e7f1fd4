"""`prelabel train --project` with a real Label Studio: what it learns, and under which key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.training.version_store import VersionStore
from tests.cli.trainable import install
from tests.training.words import CONFIG, texts

from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e


def test_a_project_is_trained_and_listed(label_studio: LabelStudio, tmp_path: Path) -> None:
    number = label_studio.create_project("topics", CONFIG)
    tasks = [
        {"data": one["data"], "annotations": [{"result": one["annotations"][0]["result"]}]}
        for one in texts(45)
    ]
    label_studio.client.projects.import_tasks(number, request=tasks)
    environment = {
        "PYTHONPATH": f"{install(tmp_path)}:{REPO}",
        "BACKENDS": "words",
        "TRAIN_DIR": str(tmp_path / "training"),
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }

    def prelabel(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "shared.cli", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    prelabel("train", "--project", str(number), "--follow")
    created = label_studio.client.projects.get(number).created_at
    store = VersionStore(tmp_path / "training")
    assert store.list_projects() == [f"{number}.{int(created.timestamp())}"]
    listed = prelabel("models", "--project", str(number))
    [version] = store.serving_versions(store.list_projects()[0]).values()
    assert f"{version.name} serves" in " ".join(listed.split())
    card = (version.folder / "README.md").read_text()
    for private in (label_studio.url, label_studio.token, "e2e@example.com", "topics"):
        assert private not in card
