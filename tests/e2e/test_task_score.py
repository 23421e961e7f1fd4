"""Label Studio keeps the score of a task, sorts by it, and gives out the least sure first."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.detection.starter.shapes import CLASSES, draw_picture
from shared.pipeline.prediction import TASK_SCORES
from tests.serving import Served

from .label_studio import LabelStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LABELS = "".join(f'<Label value="{name}"/>' for name in CLASSES)
CONFIG = f"""<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image" model_score_threshold="0.25"
    model_task_score="%s">{LABELS}</RectangleLabels></View>"""
PICTURES = 5
BY_SCORE = "tasks:predictions_score"


@pytest.fixture(scope="module")
def pictures(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Addresses of drawn pictures; the last one is empty."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        drawn = draw_picture(np.random.default_rng([5, number]), (320, 240), "rough", 2 + number)
        Image.fromarray(drawn.image).save(path)
    Image.new("RGB", (320, 240), "white").save(folder / "empty.png")
    project = label_studio.create_project("Pictures", CONFIG % "mean")
    made = label_studio.upload(project, [*paths, folder / "empty.png"])
    return [str(label_studio.task(task)["data"]["image"]) for task in made]


@pytest.mark.parametrize("mode", TASK_SCORES)
def test_tasks_are_sorted_by_score(
    mode: str, label_studio: LabelStudio, shapes_server: Served, pictures: list[str]
) -> None:
    project = label_studio.create_project(f"By {mode}", CONFIG % mode)
    label_studio.connect_backend(project, shapes_server.url)
    tasks = label_studio.import_tasks(project, [{"data": {"image": url}} for url in pictures])
    label_studio.retrieve_predictions(project)
    stored = {found["task"]: found for found in label_studio.predictions(project)}
    assert set(stored) == set(tasks)
    *full, empty = tasks
    assert (stored[empty]["result"], stored[empty]["score"]) == ([], None)
    for task in full:
        scores = [result["score"] for result in stored[task]["result"]]
        assert len(scores) > 1
        assert stored[task]["score"] == pytest.approx(TASK_SCORES[mode](scores), abs=1e-4)
    _choose(label_studio, project, stored[empty]["model_version"])
    scores = sorted(stored[task]["score"] for task in full)
    for order, expected in ((BY_SCORE, scores), (f"-{BY_SCORE}", scores[::-1])):
        listed = [task for task in _listed(label_studio, project, order) if task != empty]
        assert [stored[task]["score"] for task in listed] == expected


def test_annotators_get_the_least_sure_task_first(
    label_studio: LabelStudio, shapes_server: Served, pictures: list[str]
) -> None:
    """Uncertainty sampling, as Label Studio calls it."""
    project = label_studio.create_project("Uncertain", CONFIG % "margin")
    label_studio.connect_backend(project, shapes_server.url)
    full = [{"data": {"image": url}} for url in pictures[:-1]]
    tasks = label_studio.import_tasks(project, full)
    label_studio.retrieve_predictions(project)
    predictions = label_studio.predictions(project)
    stored = {found["task"]: found["score"] for found in predictions}
    _choose(label_studio, project, predictions[0]["model_version"])
    sampling = {"sampling": "Uncertainty sampling"}
    label_studio.request("PATCH", f"/api/projects/{project}/", json=sampling)
    given = []
    for _ in tasks:
        task = label_studio.request("GET", f"/api/projects/{project}/next")["id"]
        label_studio.request("POST", f"/api/tasks/{task}/annotations/", json={"result": []})
        given.append(task)
    assert sorted(given) == sorted(tasks)
    assert [stored[task] for task in given] == sorted(stored.values())


def _choose(label_studio: LabelStudio, project: int, version: str) -> None:
    """The predictions that Label Studio goes by: in the project's settings, under Annotation.

    Connected, a model stands there itself, and then predictions of no version count.
    """
    body = {"model_version": version}
    label_studio.request("PATCH", f"/api/projects/{project}/", json=body)


def _listed(label_studio: LabelStudio, project: int, order: str) -> list[Any]:
    """The ids of a project's tasks as the Data Manager lists them."""
    columns = {"project": project, "data": {"ordering": [order]}}
    view = label_studio.request("POST", "/api/dm/views/", json=columns)["id"]
    answer = label_studio.request("GET", "/api/tasks", params={"project": project, "view": view})
    return [task["id"] for task in answer["tasks"]]
