"""Values that are joined, encoded, numbers or spelled otherwise, and exports, in the editor."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from tests.cli.conftest import Command, prelabel  # noqa: F401

from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

DAY = "2026-11-27"
ARGUMENTS = ("--label-config", "config.xml", "-o", "out.json", "--backend", "pattern")


def config(attrs: str, tag: str = "Text") -> str:
    return f"""<View><Labels name="label" toName="text"><Label value="Date"/></Labels>
      <{tag} name="text" {attrs}/></View>"""


def encoded(text: str, characters: str = "utf-8") -> str:
    return base64.b64encode(text.encode(characters)).decode()


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "text before": (config('value="Due: $when"'), {"when": DAY}),
    "two keys": (config('value="No. $n, $when."'), {"n": 1.0, "when": DAY}),
    "paths": (config('value="Of $n: $x.days[1]"'), {"n": "A", "x": {"days": ["", DAY]}}),
    "lists and booleans": (config('value="Of $a: $b, $c"'), {"a": [1, "x"], "b": True, "c": DAY}),
    "blank before": (config('value=" $when"'), {"when": DAY}),
    "a dot ends a key": (config('value="On $when. Or $when"'), {"when": DAY}),
    "a hyphen ends a key": (config('value="On $when-$when"'), {"when": DAY}),
    "base64": (config('value="$t" encoding="base64"'), {"t": encoded(f"ë {DAY}", "latin-1")}),
    "UTF-8 as base64": (config('value="$t" encoding="base64"'), {"t": encoded(f"ë {DAY}")}),
    "base64unicode": (config('value="$t" encoding="base64unicode"'), {"t": encoded(f"ж🙂 {DAY}")}),
    "other spelling": (config('value="$t" ENCODING="base64"'), {"t": encoded(DAY)}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_span_is_where_the_editor_shows_its_text(
    case: str,
    label_studio: LabelStudio,
    editor_alone: EditorAlone,
    prelabel: Command,  # noqa: F811
    tmp_path: Path,
) -> None:
    xml, data = CASES[case]
    (tmp_path / "config.xml").write_text(xml)
    (tmp_path / "tasks.json").write_text(json.dumps([{"data": data}]))
    ran = prelabel("predict", "tasks.json", *ARGUMENTS)
    assert ran.status == 0, ran.err
    project = label_studio.create_project("values", xml)
    written = json.loads((tmp_path / "out.json").read_text())
    [task] = label_studio.import_tasks(project, written)
    [shown] = editor_alone.predictions(project, task)
    assert shown
    assert {result["value"]["text"] for result in shown} == {DAY}
    assert set(editor_alone.highlights().values()) == {DAY}


NUMBERS = (12345, 0.1, 1e21, 1.5e-7, True)


def test_numbers_are_shown_as_texts(label_studio: LabelStudio, editor_alone: EditorAlone) -> None:
    """The first three characters of each; the import takes numbers, and true."""
    xml = config('value="$t"')
    target = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels"}
    project = label_studio.create_project("numbers", xml)
    tag = LabelConfig.parse(xml).objects["text"]
    for value in NUMBERS:
        text = Task(1, {"t": value}).text_value(tag)
        span = {"start": 0, "end": len(text), "text": text, "labels": ["Date"]}
        prediction = {"model_version": "m", "result": [target | {"value": span}]}
        entry = {"data": {"t": value}, "predictions": [prediction]}
        [task] = label_studio.import_tasks(project, [entry])
        editor_alone.predictions(project, task)
        assert editor_alone.highlights() == {"a": text}


def test_an_export_with_predictions_is_predicted_and_imported_again(
    label_studio: LabelStudio,
    prelabel: Command,  # noqa: F811
    tmp_path: Path,
) -> None:
    xml = config('value="$t"')
    span = {"start": 0, "end": 10, "text": DAY, "labels": ["Date"]}
    result = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": span}
    project = label_studio.create_project("exported", xml)
    prediction = {"model_version": "old", "score": 0.5, "result": [result]}
    entry = {"data": {"t": DAY}, "predictions": [prediction]}
    [task] = label_studio.import_tasks(project, [entry])
    body = {"result": [result], "parent_prediction": 1}
    label_studio.request("POST", f"/api/tasks/{task}/annotations/", json=body)
    label_studio.request("POST", f"/api/tasks/{task}/drafts", json={"result": [result]})
    path = f"/api/projects/{project}/export"
    exported = label_studio.request("GET", path, params={"exportType": "JSON"})
    assert all(isinstance(number, int) for number in exported[0]["predictions"])
    exported[0]["annotations"][0]["completed_by"] = 4711  # who is nobody here
    (tmp_path / "config.xml").write_text(xml)
    (tmp_path / "in.json").write_text(json.dumps(exported))
    ran = prelabel("predict", "in.json", *ARGUMENTS)
    assert ran.status == 0, ran.err
    assert "left out, as Label Studio's import refuses them" in ran.err
    other = label_studio.create_project("imported", xml)
    written = json.loads((tmp_path / "out.json").read_text())
    [made] = label_studio.import_tasks(other, written)
    found = label_studio.task(made)
    assert len(found["annotations"]) == 1
    [stored] = label_studio.predictions(task_id=made)
    assert stored["model_version"].startswith("pattern-")
    assert stored["result"][0]["value"]["text"] == DAY
