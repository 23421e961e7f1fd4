"""Labels that a task brings: what our server predicts with them, the editor shows with them."""

import re
from pathlib import Path
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import check_task
from tests.serving import Served

from .compare import comparable, differences
from .editor_alone import EditorAlone
from .every_type import LABELS as LABEL_TAGS
from .every_type import SCENES
from .label_studio import LabelStudio
from .test_every_type import of_scene, results, uploaded

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

TEXT = "The match on 3 May 2024 ended 2:1 after a goal in the last minute: the team won the cup."
LABELS = '<View><Labels name="l" toName="t" value="$labels"/><Text name="t" value="$text"/></View>'
MIXED = LABELS.replace("/><Text", '><Label value="Ordinal"/></Labels><Text')
CHOICES = LABELS.replace("Labels", "Choices")
RED, BLUE = "rgba(255, 0, 0, 0.3)", "rgba(0, 0, 255, 0.3)"


def imported(label_studio: LabelStudio, config: str, *labels: Any) -> tuple[int, list[int]]:
    """A project, and a task for each of the lists of labels."""
    project = label_studio.create_project("Labels of tasks", config)
    data = [{"text": TEXT, "labels": listed} for listed in labels]
    return project, label_studio.import_tasks(project, [{"data": one} for one in data])


def predicted(label_studio: LabelStudio, project: int, task: int) -> list[Json]:
    return [p["result"] for p in label_studio.predictions(project, task_id=task)]


SHOWN = ("labelled", "hypertext", "paragraphs", "audio", "timeseries", "video", "timeline")


@pytest.mark.parametrize("name", SHOWN)
def test_every_tag_with_labels_of_the_task_is_displayed_as_it_was_sent(
    name: str, label_studio: LabelStudio, editor_alone: EditorAlone, tmp_path: Path
) -> None:
    """The rows of the table of all types, with the labels of the task instead of Label tags.

    Label Studio imports no list for some of the tags, unless one behind them has the same value.
    """
    scene, rows = SCENES[name], of_scene(name)
    config = re.sub(
        f"(<\\w*Labels [^>]*)>{LABEL_TAGS}</\\w*Labels>", r'\1 value="$labels"/>', scene.config
    )
    assert "<Label " not in config
    target = next(iter(LabelConfig.parse(config).objects))
    last = f'<Labels name="last" toName="{target}" value="$labels"/></View>'
    config = config.replace("</View>", last)
    project = label_studio.create_project(f"Labels of tasks: {name}", config)
    uploads = label_studio.create_project("Uploads", scene.config)  # a file brings no labels
    data = uploaded(label_studio, uploads, scene.data(), tmp_path)
    labels = [{"value": "Car"}, {"value": "Bus", "alias": "B"}]
    predictions = [
        {"model_version": row.name, "score": 0.5, "result": results(row)} for row in rows
    ]
    task = {"data": {**data, "labels": labels}, "predictions": predictions}
    shown = editor_alone.predictions(project, label_studio.import_tasks(project, [task])[0])
    for row, displayed in zip(rows, shown, strict=True):
        lines = differences(map(comparable, results(row)), map(comparable, displayed))
        assert tuple(lines) == row.differs, row.name
    checked = {**task, "data": {**scene.data(), "labels": labels}}
    assert check_task(LabelConfig.parse(config), checked) == []


@pytest.mark.parametrize("config", [LABELS, MIXED], ids=["listed", "beside tags"])
def test_a_region_has_the_name_and_colour_of_the_label_of_its_task(
    config: str, label_studio: LabelStudio, editor_alone: EditorAlone, words_server: Served
) -> None:
    project, tasks = imported(
        label_studio,
        config,
        [{"value": "Date", "background": "#ff0000"}],
        [{"value": "Day", "alias": "d", "predicted_values": "date", "background": "#0000ff"}],
        ["Date"],
    )
    label_studio.connect_backend(project, words_server.url)
    label_studio.retrieve_predictions(project)
    for task, label, looks in zip(
        tasks, ["Date", "d"], [("Date", RED), ("Day", BLUE)], strict=False
    ):
        [[result]] = predicted(label_studio, project, task)
        assert (result["value"]["text"], result["value"]["labels"]) == ("3 May 2024", [label])
        assert editor_alone.predictions(project, task)[0][0]["value"]["labels"] == [label]
        assert editor_alone.highlights() == {result["id"]: "3 May 2024"}
        assert editor_alone.labels() == {result["id"]: list(looks)}
    assert predicted(label_studio, project, tasks[2]) == []


def test_a_choice_of_the_task_is_checked(
    label_studio: LabelStudio, editor_alone: EditorAlone, words_server: Served
) -> None:
    sports = {"value": "Sports news", "alias": "s", "predicted_values": "sports"}
    project, tasks = imported(
        label_studio, CHOICES, [{"value": "Food"}, {"value": "sports"}], [{"value": "Food"}, sports]
    )
    label_studio.connect_backend(project, words_server.url)
    label_studio.retrieve_predictions(project)
    for task, choice, looks in zip(tasks, ["sports", "s"], ["sports", "Sports news"], strict=True):
        [[result]] = predicted(label_studio, project, task)
        assert result["value"]["choices"] == [choice]
        [[displayed]] = editor_alone.predictions(project, task)
        assert displayed["value"]["choices"] == [choice]
        assert editor_alone.checked() == [looks]


def test_what_is_found_fault_with_is_not_shown(
    label_studio: LabelStudio, editor_alone: EditorAlone
) -> None:
    """A label of another task, and labels that are strings: regions without a name."""
    project = label_studio.create_project("Labels of others", LABELS)
    result = {"id": "a", "from_name": "l", "to_name": "t", "type": "labels"}
    result["value"] = {"start": 4, "end": 9, "text": TEXT[4:9], "labels": ["Person"]}
    prediction = {"model_version": "m", "score": 0.5, "result": [result]}
    for labels, rules in (
        ([{"value": "Person"}], []),
        ([{"value": "Place"}], ["unknown_label"]),
        (["Person"], ["labels", "unknown_label"]),
    ):
        task = {"data": {"text": TEXT, "labels": labels}, "predictions": [prediction]}
        [number] = label_studio.import_tasks(project, [task])
        editor_alone.predictions(project, number)
        name, _ = editor_alone.labels()["a"]
        assert name == ("" if rules else "Person")
        assert [found.rule for found in check_task(LabelConfig.parse(LABELS), task)] == rules
