"""`prelabel evaluate --time-saved` of annotations that Label Studio's own editor has submitted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results import Rectangle, Region, TextSpan, region
from shared.results.whole_task import whole_task

from .editor import Editor
from .evaluate import run_evaluate
from .label_studio import LabelStudio
from .media import SIZE, image

pytestmark = pytest.mark.e2e

CONFIG = LabelConfig.parse("""
<View>
  <Text name="text" value="$text"/>
  <Labels name="span" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <Choices name="topic" toName="text"><Choice value="a"/><Choice value="b"/></Choices>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/><Label value="Bus"/>
  </RectangleLabels>
  <TextArea name="plate" toName="image" perRegion="true"/>
</View>
""")
TEXT = "Ada Lovelace met Charles Babbage in London."
NOTHING = dict.fromkeys(("accepted", "moved", "relabelled", "changed", "deleted", "added"), 0)

# What a user does: moves a box and relabels another, deletes a box and draws one, corrects a plate
# and the topic.
CORRECT = """
const region = (id) => annotation.regions.find((one) => one.cleanId === id);
const tag = (name) => annotation.names.get(name);
region("moved").setPosition(300, 60, 40, 40, 0);
region("moved").notifyDrawingFinished();
annotation.selectArea(region("relabelled"));
tag("box").children.find((label) => label._value === "Bus").toggleSelected();
annotation.unselectAll();
annotation.deleteRegion(region("deleted"));
region("changed").results.find((one) => one.from_name.name === "plate").setValue(["AB 2"]);
const drawn = { x: 80, y: 60, width: 10, height: 10, rotation: 0, coordstype: "perc" };
annotation.createResult(drawn, { rectanglelabels: ["Bus"] }, tag("box"), tag("image"));
tag("topic").children.find((choice) => choice._value === "b").toggleSelected();
"""


def control(name: str) -> Any:
    found = CONFIG.find_control(name)
    assert found is not None
    return found


def box(name: str, left: float, plate: str = "") -> Region:
    values = {control("box"): ["Car"]} | ({control("plate"): [plate]} if plate else {})
    return region(Rectangle(left, 30.7, 31.3, 21.9), values, SIZE, 0.9, id=name)


def results_of(*regions: Region) -> list[Mapping[str, Any]]:
    return [result for one in regions for result in one.results]


PREDICTED = results_of(
    box("kept", 10.1, "AB 1"),
    box("moved", 60.2),
    box("relabelled", 120.3),
    box("deleted", 180.4),
    box("changed", 240.5, "AB 1"),
    region(TextSpan(0, 12), {control("span"): ["Person"]}, TEXT, id="person"),
    region(TextSpan(36, 42), {control("span"): ["Place"]}, TEXT, id="place"),
    whole_task(control("topic"), "a", id="topic"),
)


@pytest.fixture(scope="module")
def project(label_studio: LabelStudio, editor: Editor) -> int:
    """Five tasks with a prediction and one without.

    A user corrects the first and accepts the second in the editor. Of the third the API was not
    told how long it took. The fourth's annotation did not begin with the prediction. The fifth's
    prediction was deleted after it was corrected. The sixth has none.
    """
    number = label_studio.create_project("time saved", CONFIG.xml)
    data = {"text": TEXT, "image": image()}
    stored = [{"model_version": "v1", "score": 0.9, "result": PREDICTED}]
    tasks = [{"data": data, "predictions": stored} for _ in range(5)]
    label_studio.client.projects.import_tasks(number, request=[*tasks, {"data": data}])
    ids = [task.id for task in label_studio.client.tasks.list(project=number)]
    editor.annotate(number, ids[0], CORRECT)
    editor.annotate(number, ids[1])
    annotations = label_studio.client.annotations
    [parent] = label_studio.predictions(task_id=ids[2])
    annotations.create(ids[2], result=PREDICTED, parent_prediction=parent["id"])
    annotations.create(ids[3], result=[], lead_time=50)
    editor.annotate(number, ids[4])
    [gone] = label_studio.predictions(task_id=ids[4])
    label_studio.client.predictions.delete(gone["id"])
    annotations.create(ids[5], result=[], lead_time=60)
    return number


@pytest.fixture(scope="module")
def saved(label_studio: LabelStudio, project: int) -> Any:
    words = ("--project", str(project), "--time-saved", "--format", "json")
    run = run_evaluate(label_studio, *words)
    assert run.exit_code == 0, run.stderr
    return json.loads(run.stdout)["time_saved"]


def counts(**more: int) -> dict[str, int]:
    return {**NOTHING, **more}


def test_every_correction_is_found(saved: Any) -> None:
    # The first annotation corrects five boxes, the second and the third accept them.
    cars = counts(accepted=11, moved=1, relabelled=1, changed=1, deleted=1)
    assert saved["versions"]["v1"]["controls"] == {
        "span": {
            "tag": "Labels",
            **counts(accepted=6),
            "labels": {"Person": counts(accepted=3), "Place": counts(accepted=3)},
        },
        "topic": {
            "tag": "Choices",
            **counts(accepted=2, changed=1),
            "labels": {"a": counts(accepted=2, changed=1)},
        },
        "box": {
            "tag": "RectangleLabels",
            **cars,
            "added": 1,
            "labels": {"Bus": counts(added=1), "Car": cars},
        },
        "plate": {"tag": "TextArea", **counts(accepted=5, changed=1)},
    }


def test_times_are_those_of_label_studio(
    label_studio: LabelStudio, project: int, saved: Any
) -> None:
    tasks = label_studio.client.tasks.list(project=project, fields="all")
    annotations = [one for task in tasks for one in (task.annotations or [])]
    measured = sorted(
        one["lead_time"] for one in annotations if one["parent_prediction"] and one["lead_time"]
    )
    assert len(measured) == 2
    version = saved["versions"]["v1"]
    assert (version["tasks"], version["annotations"], version["timed"]) == (3, 3, 2)
    assert version["median_seconds"] == pytest.approx(sum(measured) / 2)
    one = {"tasks": 1, "annotations": 1, "timed": 1}
    assert saved["without_prediction"] == {**one, "median_seconds": 60}


def test_what_label_studio_does_not_know_is_said(
    label_studio: LabelStudio, project: int, saved: Any
) -> None:
    one = {"tasks": 1, "annotations": 1, "timed": 1}
    assert saved["unknown_prediction"] == {**one, "median_seconds": 50}
    # Label Studio forgets a deleted prediction, but the regions tell that there was one.
    assert saved["missing_prediction"] | one == saved["missing_prediction"]
    run = run_evaluate(label_studio, "--project", str(project), "--time-saved")
    assert run.exit_code == 0, run.stderr
    assert "not known: the annotation names no prediction" in " ".join(run.stdout.split())


def test_new_predictions_have_no_time(label_studio: LabelStudio, project: int) -> None:
    words = ("--project", str(project), "--time-saved", "--backend", "detection")
    run = run_evaluate(label_studio, *words)
    assert run.exit_code == 2
    assert "leave --backend out" in " ".join(run.stderr.replace("│", " ").split())
