"""A control tag on several object tags: the editor shows our regions on each, and one answer."""

from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import check_task
from tests.serving import Served

from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

XML = """<View><Text name="a" value="$one"/><Text name="b" value="$two"/>
  <Labels name="l" toName="a,b"><Label value="Date"/></Labels>
  <Choices name="c" toName="a,b"><Choice value="Sports"/><Choice value="Food"/></Choices></View>"""
DATA = {"one": "The team won the cup on 3 May 2024.", "two": "A recipe of 4 June: bake the bread."}


def test_regions_on_each_object_tag_and_one_answer(
    label_studio: LabelStudio, editor_alone: EditorAlone, words_server: Served
) -> None:
    project = label_studio.create_project("Two texts", XML)
    [task] = label_studio.import_tasks(project, [{"data": DATA}])
    label_studio.connect_backend(project, words_server.url)
    label_studio.retrieve_predictions(project)
    [prediction] = label_studio.predictions(project, task_id=task)
    found: list[Json] = prediction["result"]
    said = [(r["from_name"], r["to_name"], r["value"].get("text")) for r in found]
    assert sorted(said, key=str) == [
        ("c", "a", None),
        ("l", "a", "3 May 2024"),
        ("l", "b", "4 June"),
    ]
    [displayed] = editor_alone.predictions(project, task)
    assert sorted(r["id"] for r in displayed) == sorted(r["id"] for r in found)
    spans = {r["id"]: r["value"]["text"] for r in found if r["from_name"] == "l"}
    assert editor_alone.highlights() == spans
    assert {name for name, _ in editor_alone.labels().values()} == {"Date"}
    assert editor_alone.checked() == ["Sports"]
    sent = {"data": DATA, "predictions": [{"model_version": "m", "score": 0.5, "result": found}]}
    assert check_task(LabelConfig.parse(XML), sent) == []


def test_of_two_answers_the_editor_shows_one(
    label_studio: LabelStudio, editor_alone: EditorAlone
) -> None:
    """Why the second object tag of Choices is left: of two results the last hides the other."""
    results = [
        {"id": to, "from_name": "c", "to_name": to, "type": "choices", "value": {"choices": [said]}}
        for to, said in (("a", "Sports"), ("b", "Food"))
    ]
    project = label_studio.create_project("Two answers", XML)
    prediction = {"model_version": "m", "score": 0.5, "result": results}
    [task] = label_studio.import_tasks(project, [{"data": DATA, "predictions": [prediction]}])
    [displayed] = editor_alone.predictions(project, task)
    assert len(displayed) == 1
    assert len(editor_alone.checked()) == 1
