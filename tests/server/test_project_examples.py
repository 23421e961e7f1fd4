"""What annotators have drawn is asked for only where a label config asks for it."""

import pytest

from backends.detection import DetectionBackend
from shared.backend.process_resources import shared_resources
from shared.pipeline.runtime import reset_runtime, runtime
from shared.server.plan_store import PlanStore
from shared.server.project_examples import ProjectExamples
from shared.settings import Settings, changed_environment

XML = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image" {}><Label value="Car"/></RectangleLabels></View>"""
ASKING = XML.format('model_examples="annotated"')


def examples_of(xml: str, project: str, settings: Settings) -> ProjectExamples:
    found = ProjectExamples(settings, shared_resources().media)
    pending = found.refresh(project, xml)
    if pending is not None:
        pending.result(60)
    return found


@pytest.mark.parametrize(
    "xml", [XML.format(""), XML.format('model_examples="all"'), "<View model_examples"]
)
def test_other_label_configs_cost_nothing(xml: str) -> None:
    found = examples_of(xml, "7.1700000000", Settings())
    assert found.known("7.1700000000", xml) is None
    assert not found._threads._threads


@pytest.mark.parametrize(
    ("variables", "project", "message"),
    [
        ({}, "7.1700000000", "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY must be set"),
        (
            {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "key"},
            "",
            "the request names no project",
        ),
    ],
)
def test_why_they_cannot_be_read_is_in_the_plan(
    variables: dict[str, str], project: str, message: str
) -> None:
    with changed_environment({"DETECTION_MODEL": "yoloe-11s-seg.pt", **variables}):
        reset_runtime()
        store = PlanStore([DetectionBackend], ["detection"], runtime())
        [unread] = store.make(project, ASKING, None)
        store.refresh_examples(project, ASKING)
        [plan] = store.make(project, ASKING, None)
        reset_runtime()
    assert "annotated tasks are read by a server that Label Studio asks" in unread.problems[0]
    assert not plan.steps
    assert message in plan.problems[0]
