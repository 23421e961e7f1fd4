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
    assert "results removed from 4 tasks, and 1 view(s)" in removed.stdout
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
    assert "1 tasks changed" in run.stdout
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


def test_keys_with_our_prefix_that_the_label_config_shows_are_refused(
    label_studio: LabelStudio,
) -> None:
    config = (
        '<View><Text name="text" value="$prelabel_text"/><Rating name="r" toName="text"/></View>'
    )
    made = label_studio.client.projects.create(title="prefix", label_config=config)
    project = Project(
        made.id,
        Settings(label_studio_url=label_studio.url, label_studio_api_key=label_studio.token),  # type: ignore[arg-type]
    )
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
