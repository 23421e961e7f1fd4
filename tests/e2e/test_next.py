"""`prelabel next` with a real Label Studio: its view has the order, and the stream follows it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]
CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="topic" toName="text"><Choice value="a"/><Choice value="b"/></Choices></View>"""
# By task: scores of the two versions, and what they say. The margins of the last version are
# 0.8, 0.1, 0.4, 0.02 (annotated), 0.6, and 0.9 in the sixth, 0.3 in the others.
SCORES = (0.9, 0.55, 0.7, 0.51, 0.8, 0.95, *[0.65] * 6)


def result(choice: str, score: float | None = None) -> list[dict[str, Any]]:
    value = {"choices": [choice]}
    found = {"from_name": "topic", "to_name": "text", "type": "choices", "value": value}
    return [found if score is None else found | {"score": score}]


@pytest.fixture
def project(label_studio: LabelStudio) -> int:
    """12 tasks, of which the fourth has an annotation, and a view of the user's."""
    number = label_studio.create_project("next", CONFIG)
    tasks = [
        {
            "data": {"text": f"text {place}", "prelabelled_by": "the user"},
            "predictions": [
                {"model_version": "v1", "result": result("b" if place == 4 else "a", 0.9)},
                {"model_version": "v2", "result": result("a", score)},
            ],
            "annotations": [{"result": result("a")}] if place == 3 else [],
        }
        for place, score in enumerate(SCORES)
    ]
    label_studio.client.projects.import_tasks(number, request=tasks)
    label_studio.client.views.create(project=number, data={"title": "Mine", "ordering": []})
    return number


def run_next(server: LabelStudio, project: int, *words: str) -> "subprocess.CompletedProcess[str]":
    access = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    run = subprocess.run(
        [sys.executable, "-m", "shared.cli", "next", "--project", str(project), *words],
        env=os.environ | access | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def views(server: LabelStudio, project: int) -> dict[str, dict[str, Any]]:
    """Return the project's views by title."""
    found = server.request("GET", f"/api/dm/views?project={project}")
    return {view["data"]["title"]: view for view in found}


def shown(server: LabelStudio, project: int) -> list[int]:
    """Return the places of the tasks that the view shows, in its order."""
    view = views(server, project)["Label next"]
    answer = server.request("GET", f"/api/tasks?view={view['id']}&project={project}&page_size=100")
    return [int(task["data"]["text"].split()[1]) for task in answer["tasks"]]


def next_in_stream(server: LabelStudio, project: int) -> int:
    """Return what "Label Tasks As Displayed" of the view gives, as the editor asks for it."""
    view = views(server, project)["Label next"]
    body = {key: view["data"][key] for key in ("filters", "ordering")}
    address = f"/api/dm/actions?id=next_task&tabID={view['id']}&project={project}"
    task = server.request("POST", address, json=body)
    return int(task["data"]["text"].split()[1])


def test_the_view_has_the_order_and_the_stream_follows_it(
    label_studio: LabelStudio, project: int
) -> None:
    before = [(task.id, task.data) for task in label_studio.client.tasks.list(project=project)]
    run = run_next(label_studio, project)
    assert f'project {project}: the view "Label next" has the order' in run.stdout
    expected = [1, *range(6, 12), 2, 4, 0, 5]
    # Two-digit ranks, which sort as texts, too: PostgreSQL does so in the stream.
    stored = {
        task.data["text"].split()[1]: task.data.get("prelabel_next")
        for task in label_studio.client.tasks.list(project=project)
    }
    ranks = [stored[str(place)] for place in expected]
    assert ranks == sorted(ranks) == [f"{rank:02}" for rank in range(1, 12)]
    assert shown(label_studio, project) == expected
    assert next_in_stream(label_studio, project) == 1
    tasks = list(label_studio.client.tasks.list(project=project))
    label_studio.client.annotations.create(tasks[1].id, result=result("b"))
    assert next_in_stream(label_studio, project) == 6
    assert shown(label_studio, project) == expected[1:], "what is done leaves the view"

    run_next(label_studio, project, "--strategy", "disagreement", "--limit", "3")
    assert shown(label_studio, project) == [4, 0, 2], "the second order replaces the first"
    assert next_in_stream(label_studio, project) == 4
    assert sorted(views(label_studio, project)) == ["Label next", "Mine"]

    run = run_next(label_studio, project, "--remove")
    assert "removed from 3 tasks, and 1 view" in run.stdout
    after = [(task.id, task.data) for task in label_studio.client.tasks.list(project=project)]
    assert after == before
    assert list(views(label_studio, project)) == ["Mine"]
    predictions = label_studio.client.predictions.list(project=project)
    assert len(predictions) == 2 * len(SCORES), "predictions stay where data changes"


def test_least_alike_tasks_come_first(label_studio: LabelStudio) -> None:
    config = (REPO / "backends" / "pattern" / "label_config.xml").read_text()
    number = label_studio.create_project("diverse", config)
    texts = ["On 3 May 2024 we paid $5 million.", "The cat has not been seen since Tuesday."]
    data = [{"text": f"{text} 0"} for text in texts] + [{"text": f"{text} 1"} for text in texts]
    request = [{"data": one} for one in data]
    label_studio.client.projects.import_tasks(number, request=request)
    run_next(label_studio, number, "--strategy", "diverse", "--backend", "pattern", "--limit", "2")
    view = views(label_studio, number)["Label next"]
    found = label_studio.request("GET", f"/api/tasks?view={view['id']}&project={number}")["tasks"]
    assert {task["data"]["text"][:-2] for task in found} == set(texts)
