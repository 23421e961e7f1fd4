"""`prelabel evaluate --project` reads annotations and predictions of a real Label Studio."""

import json
from typing import Any

import pytest

from shared.label_studio import project as project_module
from shared.label_studio.project import Project, UnavailableError
from shared.settings import Settings
from tests.e2e.evaluate import run_evaluate
from tests.e2e.label_studio import LabelStudio

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="topic" toName="text"><Choice value="a"/><Choice value="b"/></Choices></View>"""


def result(choice: str) -> list[dict[str, Any]]:
    value = {"choices": [choice]}
    return [{"from_name": "topic", "to_name": "text", "type": "choices", "value": value}]


@pytest.fixture(scope="module")
def project(label_studio: LabelStudio) -> int:
    """120 tasks: 3 of 4 have an annotation, of which 1 of 3 differs from the prediction."""
    client = label_studio.client
    made = client.projects.create(title="evaluate", label_config=CONFIG)
    tasks = [
        {
            "data": {"text": f"text {number}"},
            "predictions": [{"model_version": "v1", "score": 0.9, "result": result("a")}],
            "annotations": [{"result": result("b" if number % 4 == 1 else "a")}]
            if number % 4
            else [],
        }
        for number in range(120)
    ]
    client.projects.import_tasks(made.id, request=tasks)
    return int(made.id)


def settings_of(label_studio: LabelStudio) -> Settings:
    return Settings(
        label_studio_url=label_studio.url,
        label_studio_api_key=label_studio.token,  # type: ignore[arg-type]
    )


def test_a_project_is_evaluated(label_studio: LabelStudio, project: int) -> None:
    run = run_evaluate(label_studio, "--project", str(project), "--format", "json")
    assert run.exit_code == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["tasks"] == {"read": 120, "annotated": 90}
    topic = report["versions"]["v1"]["controls"]["topic"]
    assert topic["accuracy"] == pytest.approx(2 / 3)
    assert topic["confusion"] == {"a": {"a": 60}, "b": {"a": 30}}


def test_a_version_that_does_not_exist_names_those_that_do(
    label_studio: LabelStudio, project: int
) -> None:
    run = run_evaluate(label_studio, "--project", str(project), "--version", "v2")
    assert run.exit_code == 2
    expected = 'no annotated task has a prediction of version "v2"; stored are: "v1"'
    assert expected in run.stderr


def test_a_project_without_annotations(label_studio: LabelStudio) -> None:
    client = label_studio.client
    made = client.projects.create(title="no annotations", label_config=CONFIG)
    client.projects.import_tasks(made.id, request=[{"data": {"text": "one"}}])
    run = run_evaluate(label_studio, "--project", str(made.id))
    assert run.exit_code == 2
    assert "none of 1 task has an annotation that counts" in run.stderr


def test_every_key_of_an_annotation_is_read(label_studio: LabelStudio) -> None:
    client = label_studio.client
    made = client.projects.create(title="keys", label_config=CONFIG)
    predicted = [{"model_version": "v1", "result": result("a")}]
    tasks = [{"data": {"text": "one"}, "predictions": predicted}]
    client.projects.import_tasks(made.id, request=tasks)
    [task] = client.tasks.list(project=made.id)
    [stored] = client.predictions.list(task=task.id)
    client.annotations.create(
        task.id, result=result("b"), lead_time=3.5, parent_prediction=stored.id
    )
    client.annotations.create(task.id, result=result("a"), was_cancelled=True)
    project = Project(made.id, settings_of(label_studio))
    [entry] = project.annotated_tasks()
    project.close()
    first, second = sorted(entry.task["annotations"], key=lambda one: one["id"])
    assert first["result"] == result("b")
    assert (first["lead_time"], first["parent_prediction"]) == (3.5, stored.id)
    assert first["completed_by"] is not None
    assert second["was_cancelled"] is True
    [prediction] = entry.task["predictions"]
    assert (prediction["model_version"], prediction["result"]) == ("v1", result("a"))


def test_a_page_that_fails_is_asked_for_again(
    label_studio: LabelStudio, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Project(project, settings_of(label_studio))
    read, failures = opened._list_tasks, iter([True, False, True, True, False, False, False])

    def fail_sometimes(*arguments: Any) -> list[Any]:
        if next(failures, False):
            raise UnavailableError("it is busy")
        return read(*arguments)

    monkeypatch.setattr(opened, "_list_tasks", fail_sometimes)
    monkeypatch.setattr(project_module, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    ids = [entry.task["id"] for entry in opened.annotated_tasks()]
    assert ids == sorted(set(ids))
    assert len(ids) == 120
    opened.close()
