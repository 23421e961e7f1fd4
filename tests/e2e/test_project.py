"""`prelabel predict` with a project of a real Label Studio: read, and pushed to, each task once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk.label_interface import LabelInterface

from shared.label_studio.import_file import ImportFile
from shared.label_studio.project import Project
from shared.label_studio.upload import Upload
from shared.settings import Settings

from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]
CONFIG = (REPO / "backends" / "pattern" / "label_config.xml").read_text()
PAIRWISE = """<View><Pairwise name="pw" toName="left,right"/>
  <Text name="left" value="$left"/><Text name="right" value="$right"/></View>"""


def settings(server: LabelStudio) -> Settings:
    return Settings(label_studio_url=server.url, label_studio_api_key=server.token)


def predict(server: LabelStudio, folder: Path, *words: Any) -> "subprocess.CompletedProcess[str]":
    variables = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    command = [sys.executable, "-m", "shared.cli", "predict", *map(str, words)]
    return subprocess.run(
        [*command, "--backend", "pattern"],
        cwd=folder,
        env=os.environ | variables | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def made(server: LabelStudio, config: str, data: Sequence[Any]) -> int:
    """A project with tasks of these data."""
    project = server.create_project("predict", config)
    server.client.projects.import_tasks(project, request=[{"data": entry} for entry in data])
    return project


def stored(server: LabelStudio, project: int) -> "Counter[str]":
    """How many predictions there are, by model version."""
    found = server.client.predictions.list(project=project)
    return Counter(str(prediction.model_version) for prediction in found)


def texts(count: int) -> list[dict[str, str]]:
    return [{"text": f"{number} dollars on 3 May"} for number in range(count)]


def test_tasks_of_a_project(label_studio: LabelStudio, tmp_path: Path) -> None:
    project = made(label_studio, CONFIG, texts(230))
    ran = predict(label_studio, tmp_path, "--project", project, "-o", "out.json")
    assert ran.returncode == 0, ran.stderr
    tasks = json.loads((tmp_path / "out.json").read_text())
    assert [task["data"] for task in tasks] == texts(230)
    assert len({task["id"] for task in tasks}) == 230
    assert stored(label_studio, project) == Counter()


def test_push_and_push_again(label_studio: LabelStudio, tmp_path: Path) -> None:
    project = made(label_studio, CONFIG, texts(230))
    ran = predict(label_studio, tmp_path, "--project", project, "--push")
    assert ran.returncode == 0, ran.stderr
    [[version, count]] = stored(label_studio, project).items()
    assert (version[:8], count) == ("pattern-", 230)
    names = [path.name for path in tmp_path.iterdir()]
    assert names == [f"project-{project}.json"]
    label_studio.client.projects.import_tasks(project, request=[{"data": {"text": "3 May"}}])
    again = predict(label_studio, tmp_path, "--project", project, "--push")
    assert again.returncode == 0, again.stderr
    assert ": 1 task in" in again.stdout
    assert stored(label_studio, project) == Counter({version: 231})


def test_push_of_a_file_imports_its_tasks(label_studio: LabelStudio, tmp_path: Path) -> None:
    project = made(label_studio, CONFIG, texts(1))
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(data) + "\n" for data in texts(130)))
    ran = predict(
        label_studio, tmp_path, "in.jsonl", "--project", project, "--push", "-o", "o.jsonl"
    )
    assert ran.returncode == 0, ran.stderr
    assert label_studio.client.projects.get(project).task_number == 131
    assert sum(stored(label_studio, project).values()) == 130


@pytest.mark.parametrize("new", [False, True], ids=["existing", "new"])
def test_batch_that_was_under_way_is_not_sent_twice(
    new: bool, label_studio: LabelStudio, tmp_path: Path
) -> None:
    """Killed after Label Studio had stored a batch, and before that was noted."""
    number = made(label_studio, CONFIG, texts(0 if new else 5) or [{"text": "first"}])
    project = Project(number, settings(label_studio))
    tasks = [{"data": data} for data in texts(5)] if new else [entry.task for entry in project]
    head = {"label_config": "x"}
    with ImportFile(tmp_path / "out.json", head, resume=False) as file:
        for task in tasks:
            prediction = {"model_version": "one", "result": []}
            file.add_task({**task, "predictions": [prediction]})
        Upload(project, file, new).send_batches(everything=True)
    (tmp_path / "out.json.pushed").write_text('{"sent": 2, "sending": 5}')
    with ImportFile(tmp_path / "out.json", head, resume=True) as file:
        Upload(project, file, new).send_batches(everything=True)
    assert stored(label_studio, number) == Counter({"one": 5})


def test_prediction_that_label_studio_leaves_out_of_many_is_stored(
    label_studio: LabelStudio,
) -> None:
    """Its check of many at once refuses the editor's own Pairwise, and says nothing."""
    number = made(label_studio, PAIRWISE, [{"left": "a", "right": "b"}] * 2)
    project = Project(number, settings(label_studio))
    chosen = {"type": "pairwise", "from_name": "pw", "to_name": "pw", "value": {"selected": "left"}}
    prediction = {"model_version": "one", "score": 0.5, "result": [{"id": "a", **chosen}]}
    assert LabelInterface(PAIRWISE).validate_prediction(prediction, return_errors=True)
    tasks = [{**entry.task, "predictions": [prediction]} for entry in project]
    project.store_predictions(tasks, again=False)
    assert stored(label_studio, number) == Counter({"one": 2})


def test_project_that_is_not_there(label_studio: LabelStudio, tmp_path: Path) -> None:
    ran = predict(label_studio, tmp_path, "--project", 999_999, "-o", "out.json")
    assert ran.returncode == 2
    assert "project 999999: Label Studio answers 404 on reading it" in ran.stderr


def test_key_is_what_label_studio_sends(label_studio: LabelStudio) -> None:
    """Its id and when it was created, as `/setup` and `/predict` get it."""
    number = label_studio.create_project("keyed", CONFIG)
    created = label_studio.client.projects.get(number).created_at
    project = Project(number, settings(label_studio))
    assert project.key == f"{number}.{int(created.timestamp())}"
    project.close()


def test_older_versions_are_replaced_and_annotated_tasks_left_alone(
    label_studio: LabelStudio, tmp_path: Path
) -> None:
    project = label_studio.create_project("predict", CONFIG)
    before = [{"model_version": v, "result": []} for v in ("mine", "pattern-00000000")]
    tasks = [{"data": data, "predictions": before} for data in texts(3)]
    annotated, *others = label_studio.import_tasks(project, tasks)
    label_studio.client.annotations.create(annotated, result=[])
    words = ("--project", project, "--push", "--only", "unannotated", "--replace")
    ran = predict(label_studio, tmp_path, *words)
    assert ran.returncode == 0, ran.stderr
    versions = {
        task: sorted(found["model_version"] for found in label_studio.predictions(task_id=task))
        for task in (annotated, *others)
    }
    assert versions[annotated] == ["mine", "pattern-00000000"]
    for task in others:
        mine, new = versions[task]
        assert (mine, new[:8]) == ("mine", "pattern-")
        assert new != "pattern-00000000"
    for sent in (("--sample", 2), ("--only", "missing")):  # nothing is left to do, or to delete
        ran = predict(label_studio, tmp_path, *words[:3], *sent, "--replace")
        assert ran.returncode == 0, ran.stderr
    assert ": 1 task in" in ran.stdout or ": 0 tasks in" in ran.stdout
    assert stored(label_studio, project)["pattern-00000000"] == 0
    assert stored(label_studio, project)["mine"] == 3
