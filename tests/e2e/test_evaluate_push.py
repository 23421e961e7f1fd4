"""Results of `prelabel evaluate --push` in a real Label Studio's Data Manager."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.cli import app
from shared.errors import SettingError
from shared.label_studio.project import Project
from shared.label_studio.task_keys import TaskKeys
from shared.settings import Settings
from tests.e2e.evaluate import run_evaluate
from tests.e2e.label_studio import LabelStudio

CONFIG = """<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="A"/><Label value="B"/></Labels></View>"""
TEXT = "one two three four five six"
# The true spans and those of the prediction of each task, by label. The F1 of each: 1, 0, 2/3, 0.
TASKS = [
    ([("A", 0, 3)], [("A", 0, 3)]),
    ([("A", 0, 3)], [("B", 0, 3)]),
    ([("A", 0, 3), ("B", 4, 7)], [("A", 0, 3)]),
    ([], [("B", 4, 7)]),
    (None, [("A", 0, 3)]),  # not annotated
]
SCORE = "prelabel_result_v1_0_score"


def results(spans: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{label}{start}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]},
        }
        for label, start, end in spans
    ]


class ProjectState:
    """A project with annotations and predictions, and what the tests read of it."""

    def __init__(self, server: LabelStudio) -> None:
        self.server = server
        self.client = server.client
        self.id = int(self.client.projects.create(title="push", label_config=CONFIG).id)
        tasks = [
            {
                "data": {"text": TEXT, "score": number, "url": "/data/upload/x.png"},
                "predictions": [{"model_version": "v1.0", "result": results(predicted)}],
                "annotations": [] if true is None else [{"result": results(true)}],
            }
            for number, (true, predicted) in enumerate(TASKS)
        ]
        self.client.projects.import_tasks(self.id, request=tasks)
        headers = self.client._client_wrapper.get_headers()
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60)

    def run(self, *words: str) -> Result:
        return run_evaluate(self.server, "--project", str(self.id), *words)

    def tasks(self, **query: Any) -> list[dict[str, Any]]:
        query = {"fields": "all", "page_size": 100, "resolve_uri": "false", **query}
        found = self.http.get("/api/tasks", params={"project": self.id, **query}).json()
        return list(found["tasks"])

    def dump(self) -> dict[str, Any]:
        """Everything that the project holds, but for the times of changes."""
        kept = self.http.get(f"/api/projects/{self.id}").json()
        summary = self.http.get(f"/api/projects/{self.id}/summary/").json()
        columns = self.http.get("/api/dm/columns", params={"project": self.id}).json()
        tasks = [{k: v for k, v in task.items() if k != "updated_at"} for task in self.tasks()]
        return {
            "project": kept,
            "summary": summary,
            "columns": columns,
            "views": self.http.get("/api/dm/views", params={"project": self.id}).json(),
            "tasks": sorted(tasks, key=lambda task: task["id"]),
        }

    def titles_of_ours(self) -> list[str]:
        views = self.http.get("/api/dm/views", params={"project": self.id}).json()
        return [view["data"]["title"] for view in views if "prelabel" in view["data"]]


def open_project(server: LabelStudio, number: int) -> Project:
    return Project(
        number,
        Settings(label_studio_url=server.url, label_studio_api_key=server.token),
    )


@pytest.fixture(scope="module")
def project(label_studio: LabelStudio) -> Iterator[ProjectState]:
    made = ProjectState(label_studio)
    yield made
    made.http.close()


def test_push_replace_and_remove(project: ProjectState) -> None:
    users = project.client.views.create(project=project.id, data={"title": "the user's own"})
    before = project.dump()
    first_id = before["tasks"][0]["id"]

    run = project.run("--push")
    assert run.exit_code == 0, run.stderr
    assert "4 tasks changed" in run.stdout
    pushed = project.dump()
    found = [
        {key: value for key, value in task["data"].items() if key.startswith("prelabel")}
        for task in pushed["tasks"]
    ]
    assert found == [
        {SCORE: 1.0, "prelabel_result_v1_0_misses": 0, "prelabel_result_v1_0_inventions": 0},
        {
            SCORE: 0.0,
            "prelabel_result_v1_0_misses": 1,
            "prelabel_result_v1_0_inventions": 1,
            "prelabel_result_v1_0_worst_label": "A",
        },
        {
            SCORE: 0.6667,
            "prelabel_result_v1_0_misses": 1,
            "prelabel_result_v1_0_inventions": 0,
            "prelabel_result_v1_0_worst_label": "B",
        },
        {
            SCORE: 0.0,
            "prelabel_result_v1_0_misses": 0,
            "prelabel_result_v1_0_inventions": 1,
            "prelabel_result_v1_0_worst_label": "B",
        },
        {},
    ]
    [view] = [one for one in pushed["views"] if one["id"] != users.id]
    assert view["data"]["title"] == "Worst predictions first"
    listed = [task["id"] - first_id for task in project.tasks(view=view["id"])]
    assert sorted(listed[:2]) == [1, 3]
    assert listed[2:] == [2, 0, 4]

    again = project.run("--push")
    assert "0 tasks changed" in again.stdout
    assert project.dump() == pushed

    removed = project.run("--remove")
    assert removed.exit_code == 0, removed.stderr
    assert "results removed from 4 tasks, and 1 view" in removed.stdout
    assert project.dump() == before


def test_results_follow_the_annotations(project: ProjectState) -> None:
    before = project.dump()
    project.run("--push")
    first, *_ = project.tasks()
    [annotation] = first["annotations"]
    project.client.annotations.update(annotation["id"], was_cancelled=True)
    # What a user changes in the meantime stays.
    data = {**first["data"], "score": "changed"}
    project.client.tasks.update(str(first["id"]), data=data)
    run = project.run("--push", "--label-errors")
    assert "1 task changed" in run.stdout
    now = next(task for task in project.tasks() if task["id"] == first["id"])
    assert now["data"] == {"text": TEXT, "score": "changed", "url": "/data/upload/x.png"}
    titles = [one["data"]["title"] for one in project.dump()["views"]]
    assert titles[-2:] == ["Worst predictions first", "Annotations that may be wrong"]
    project.client.annotations.update(annotation["id"], was_cancelled=False)
    project.client.tasks.update(str(first["id"]), data={**first["data"], "score": 0})
    project.run("--remove")
    after = project.dump()
    assert after["views"] == before["views"]
    assert [task["data"] for task in after["tasks"]] == [task["data"] for task in before["tasks"]]


def test_each_version_has_its_view(project: ProjectState) -> None:
    """Versions whose names differ in a character that keys cannot have, too."""
    before = project.dump()
    first, *_ = before["tasks"]
    twin = project.client.predictions.create(
        task=first["id"], model_version="v1-0", result=results([("B", 0, 3)])
    )
    assert project.run("--push").exit_code == 0
    data = project.client.tasks.get(str(first["id"])).data
    other = next(key for key in data if key.endswith("_score") and key not in (SCORE, "score"))
    assert other.startswith("prelabel_result_v1_0_")
    # The names are given in the order in which the versions are found.
    assert sorted([data[SCORE], data[other]]) == [0.0, 1.0]
    assert set(project.titles_of_ours()) == {
        "Worst predictions first (v1.0)",
        "Worst predictions first (v1-0)",
    }

    assert project.run("--push", "--version", "v1.0").exit_code == 0
    assert project.titles_of_ours() == ["Worst predictions first"]
    data = project.client.tasks.get(str(first["id"])).data
    assert data[SCORE] == 1.0
    assert other not in data
    project.client.predictions.delete(twin.id)
    project.run("--remove")
    assert project.titles_of_ours() == []
    now = project.dump()
    assert [task["data"] for task in now["tasks"]] == [task["data"] for task in before["tasks"]]


def test_column_that_label_studio_keeps_is_named_with_the_remedy(project: ProjectState) -> None:
    """Its count of a key goes up when a task that has the key gets a prediction."""
    project.run("--push")
    first, *_ = project.tasks()
    made = project.client.predictions.create(task=first["id"], model_version="x", result=[])
    project.client.predictions.delete(made.id)
    run = project.run("--remove")
    assert f"still lists the empty column(s) {SCORE}" in run.stdout
    assert "Reset Cache" in run.stdout
    project.http.post(f"/api/projects/{project.id}/summary/reset/", json={}).raise_for_status()
    assert "still lists" not in project.run("--remove").stdout


def test_stream_has_the_tasks_that_are_left_to_annotate(project: ProjectState) -> None:
    """As the browser asks for "Label Tasks As Displayed"."""
    project.run("--push")
    [view] = [one for one in project.dump()["views"] if "prelabel" in one["data"]]
    answer = project.http.post(
        "/api/dm/actions",
        params={"id": "next_task", "project": project.id, "tabID": view["id"]},
        json={key: view["data"][key] for key in ("ordering", "filters")},
    )
    assert answer.json()["queue"] == "Data manager queue"
    [left] = [task["id"] for task in project.tasks() if not task["annotations"]]
    assert answer.json()["id"] == left
    project.run("--remove")


def test_task_that_is_deleted_meanwhile_costs_only_itself(
    project: ProjectState, label_studio: LabelStudio
) -> None:
    made = project.client.tasks.create(project=project.id, data={"text": "gone soon"})
    project.client.tasks.delete(str(made.id))
    opened = open_project(label_studio, project.id)
    keys = TaskKeys(opened, "prelabel_result_")
    keys.write(made.id, {"text": "gone soon"}, {SCORE: 1.0})
    assert keys.changed == 0
    opened.close()


def test_keys_with_our_prefix_that_the_label_config_shows_are_refused(
    label_studio: LabelStudio,
) -> None:
    config = (
        '<View><Text name="text" value="$prelabel_text"/><Rating name="r" toName="text"/></View>'
    )
    made = label_studio.client.projects.create(title="prefix", label_config=config)
    project = open_project(label_studio, made.id)
    with pytest.raises(SettingError, match="its label config shows keys that begin with prelabel_"):
        TaskKeys(project, "prelabel_result_")
    project.close()


def test_files_cannot_be_pushed() -> None:
    run = CliRunner().invoke(app, ["evaluate", "x.json", "--push"])
    assert run.exit_code == 2
    assert "need --project" in " ".join(run.stderr.split())


def test_json_stays_json(project: ProjectState) -> None:
    run = project.run("--push", "--format", "json")
    assert json.loads(run.stdout)["versions"]["v1.0"]["tasks"] == 4
    project.run("--remove")
