"""A training as its job does it: from annotations to a version that the gate has compared."""

import base64
from pathlib import Path

import pytest

from backends.detection import DetectionBackend
from backends.detection.model.trained_network import FILE_NAME
from shared.cli.demo.training_data.shapes import LABELS, draw_picture
from tests.evaluation.dataset.building import task
from tests.training.conftest import KEY, Trainings

from .test_training_tasks import CASES, SETTINGS, Case

pytest.importorskip("ultralytics")

PICTURES = 24


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(CASES["boxes"], id="boxes"),
        # The boxes of another control tag are the objects whose points are learned.
        pytest.param(CASES["key points"], id="key points"),
    ],
)
def test_a_tag_is_trained_by_its_job(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**SETTINGS, "TRAIN_DIR": str(tmp_path / "training")}.items():
        monkeypatch.setenv(name, value)
    trainings = Trainings(tmp_path, (DetectionBackend,))
    trainings.reset()
    tasks = [
        task(
            number,
            {"image": "data:image/png;base64," + base64.b64encode(picture.png()).decode()},
            case.draw(picture),
        )
        for number, picture in ((seed, draw_picture(seed)) for seed in range(PICTURES))
    ]
    name = "rectanglelabels" if case.task == "detect" else "keypointlabels"
    result = trainings.run(tasks, case.xml, max_epochs=1, controls=[name])
    [outcome] = result["controls"]
    assert outcome["state"] in {"serving", "candidate"}, outcome
    assert set(outcome["labels"]) == set(LABELS if case.task == "detect" else ("Top", "Foot"))
    [version] = trainings.store.list_versions(KEY)
    assert (version.weights.folder / FILE_NAME).is_file()
    assert version.backend == "detection"
