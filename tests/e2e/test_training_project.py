"""A training reads a project of a real Label Studio by its API: what counts, what is skipped."""

from pathlib import Path

import pytest

from shared.backend.training import TrainingError
from shared.errors import PrelabelError, SettingError
from shared.label_studio.project_key import project_key
from shared.training.source import TrainingSource
from tests.training.conftest import Trainings
from tests.training.words import CONFIG, WordsBackend, choice, text_about

from .label_studio import LabelStudio

LABELS = ("Sport", "Food", "Music")


@pytest.fixture
def project_trainings(
    label_studio: LabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Trainings:
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
    found = Trainings(tmp_path)
    found.reset()
    WordsBackend.runs.clear()
    return found


def key_of(label_studio: LabelStudio, project: int) -> str:
    details = label_studio.client.projects.get(project)
    return project_key({"id": details.id, "created_at": details.created_at})


def test_annotations_of_a_project_are_learned(
    label_studio: LabelStudio, project_trainings: Trainings
) -> None:
    project = label_studio.create_project("training", CONFIG)
    texts = [(LABELS[n % 3], text_about(LABELS[n % 3], n)) for n in range(45)]
    tasks = label_studio.import_tasks(project, [{"data": {"text": text}} for _, text in texts])
    source = TrainingSource.of_project(project)
    with pytest.raises(SettingError, match="LABEL_STUDIO_URL is another Label Studio than the one"):
        project_trainings.run_source(source)
    project_trainings.key = key_of(label_studio, project)
    with pytest.raises(TrainingError, match="none of 45 tasks has an annotation: annotate some"):
        project_trainings.run_source(source)
    create = label_studio.client.annotations.create
    for number, task in enumerate(tasks[:40]):
        create(task, result=[choice(texts[number][0])])
    create(tasks[40], result=[choice("Sport")], was_cancelled=True)
    result = project_trainings.run_source(source)
    [outcome] = result["controls"]
    assert (result["tasks"], outcome["state"]) == (40, "serving")
    assert outcome["labels"] == list(LABELS)
    [version] = project_trainings.store.list_versions(project_trainings.key)
    assert version.figures["candidate"]["accuracy"] == 1.0


def test_a_project_that_there_is_not(project_trainings: Trainings) -> None:
    expected = "project 999999: Label Studio answers 404 on reading it"
    with pytest.raises(PrelabelError, match=expected):
        project_trainings.run_source(TrainingSource.of_project(999_999))
