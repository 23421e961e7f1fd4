import math

import pytest

from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.results import Rectangle, TextSpan, TimelineSpan, VideoTrack, region
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.e2e.media import SIZE
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task

BOXES = """
<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image">
  <Label value="Car"/><Label value="Bus"/>
</RectangleLabels>
<Choices name="quality" toName="image"><Choice value="good"/><Choice value="bad"/></Choices></View>
"""
TEXTS = """
<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="PER"/></Labels></View>
"""


def box(label: str = "Car", score: float | None = None) -> object:
    control = LabelConfig.parse(BOXES).find_control("box")
    return region(Rectangle(10, 20, 30, 40), {control: [label]}, SIZE, score)


def result(**keys: object) -> dict[str, object]:
    return {**box().results[0], **keys}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_annotations_of_every_control_tag_are_read(row: Row) -> None:
    scene, problems = SCENES[row.scene], ProblemLog()
    built = [one for one in row.regions() if one.results[0]["type"] != "relation"]
    raw = raw_task(scene.data(), [annotation(built)], [prediction(built)])
    task = read_task(raw, scene.config, problems)
    assert not list(problems)
    [read], [predicted] = task.annotations, task.predictions
    assert [one.id for one in read.regions] == [one.id for one in built]
    assert [one.score for one in predicted.regions] == [one.score for one in built]
    for again, first in zip(read.regions, built, strict=True):
        if isinstance(again.shape, VideoTrack):  # in percent, since the video's size is unknown
            sent = first.results[0]["value"]["sequence"]
            for keyframe, was in zip(again.shape.boxes, sent, strict=True):
                assert keyframe.frame == was["frame"] - 1
                assert keyframe.box.x == was["x"]
                assert keyframe.box.width == was["width"]
        elif isinstance(again.shape, TimelineSpan):  # the video's length is unknown, too
            ranges = first.results[0]["value"]["ranges"]
            assert again.shape.to_value() == ({"ranges": ranges}, {})
        else:
            assert again.to_region().results == first.results


def test_keys_of_annotations_and_predictions_are_read() -> None:
    made = annotation(
        [box()],
        id=5,
        completed_by={"id": 3, "email": "ann@example.com"},
        updated_at="2026-11-28T10:00:00Z",
        ground_truth=True,
        lead_time=12.5,
        parent_prediction=7,
    )
    task = read_task(raw_task({"image": "x"}, [made], [prediction([box()], score=0.5)]), BOXES)
    [read] = task.annotations
    assert (read.id, read.annotator, read.updated_at) == (5, "ann@example.com", made["updated_at"])
    assert (read.ground_truth, read.lead_time, read.parent_prediction) == (True, 12.5, 7)
    [stored] = task.predictions
    assert (stored.id, stored.version, stored.score) == (7, "v1", 0.5)


def test_last_prediction_of_a_version_counts() -> None:
    stored = [prediction([box()]), prediction([box("Bus")]), prediction([], "v2")]
    task = read_task(raw_task({"image": "x"}, [], stored), BOXES)
    [last] = task.prediction_of("v1").regions
    assert value_of(last, "box") == ["Bus"]
    assert task.prediction_of("v3") is None


def test_skipped_annotations_and_drafts_do_not_count() -> None:
    raw = raw_task({"image": "x"}, [annotation([box()], was_cancelled=True)])
    raw["drafts"] = [annotation([box()])]
    assert read_task(raw, BOXES).annotations == ()


def test_text_spans_are_in_code_points() -> None:
    control = LabelConfig.parse(TEXTS).find_control("label")
    span = region(TextSpan(2, 5), {control: ["PER"]}, "👩 Ann")
    task = read_task(raw_task({"text": "👩 Ann"}, [annotation([span])]), TEXTS)
    assert task.annotations[0].regions[0].shape == TextSpan(2, 5)


FAULTS = [
    ("not an object", ["x"], "a result is a string, expected an object (task 1, annotation 1)"),
    (
        "control tag that the config lost",
        [result(from_name="old")],
        'results are of "old", which the label config does not have: it has RectangleLabels "box"'
        ' on Image, Choices "quality" on Image (task 1, annotation 1)',
    ),
    (
        "label that the config lost",
        [result(value={**result()["value"], "rectanglelabels": ["Van"]})],
        'the label config has no label "Van" in RectangleLabels "box" (any more): such regions are'
        " left out (task 1, annotation 1)",
    ),
    (
        "no value",
        [result(value=None)],
        'a result of "box" has no object under "value" (task 1, annotation 1)',
    ),
    (
        "no width",
        [result(value={"x": 1, "y": 1, "height": 3, "rectanglelabels": ["Car"]})],
        "a region of RectangleLabels \"box\" cannot be read: 'width' is missing"
        f" (task 1, annotation 1, region {box().id})",
    ),
    (
        "text in a number's place",
        [result(value={**result()["value"], "x": "left"})],
        'a region of RectangleLabels "box" cannot be read: ',
    ),
]


@pytest.mark.parametrize(
    ("results", "message"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_broken_regions_cost_only_themselves(results: list[object], message: str) -> None:
    problems = ProblemLog()
    good = {**box("Bus").results[0], "id": "good"}
    raw = raw_task({"image": "x"}, [annotation(result=[*results, good])])
    task = read_task(raw, BOXES, problems)
    [problem] = problems
    assert str(problem).startswith(message)
    assert [one.id for one in task.annotations[0].regions] == ["good"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("text", "A task should be an object, found a string (task number 0)"),
        ({"id": 3}, 'A task should have an object under "data", found null (task number 0)'),
        (
            {"id": 3, "data": {"image": "x"}, "annotations": {}, "predictions": "no"},
            '"predictions" is a string, expected a list (task 3)',
        ),
        (
            {"id": 3, "data": {"image": "x"}, "predictions": [11, 12]},
            "the file has only the ids of predictions, as Label Studio's JSON export writes them:"
            " read them with --project, or predict now with --backend (task 3)",
        ),
        (
            {"id": 3, "data": {"image": "x"}, "annotations": ["x"]},
            "an annotation or prediction is a string, expected an object (task 3)",
        ),
        (
            {"id": 3, "data": {"image": "x"}, "annotations": [{"id": 9, "result": "x"}]},
            '"result" is a string, expected a list: it does not count (task 3, annotation 9)',
        ),
        (
            {"id": 3, "data": {"image": "x"}, "predictions": [{"model_version": "v1"}]},
            '"result" is missing, expected a list: it does not count'
            " (task 3, the prediction of v1)",
        ),
    ],
    ids=[
        "no object",
        "no data",
        "no list",
        "ids of predictions",
        "annotation that is none",
        "result that is a text",
        "prediction without a result",
    ],
)
def test_faulty_tasks_are_named(raw: object, message: str) -> None:
    problems = ProblemLog()
    read_task(raw, BOXES, problems)
    assert [str(problem) for problem in problems] == [message]


def test_results_with_one_id_are_named() -> None:
    problems = ProblemLog()
    twice = [result(id="same"), result(id="same"), result(id="other")]
    task = read_task(raw_task({"image": "x"}, [annotation(result=twice)]), BOXES, problems)
    assert [one.id for one in task.annotations[0].regions] == ["same", "other"]
    [problem] = problems
    assert str(problem) == (
        'results of "box" have the same id: they are read as one region, and the shape is that of'
        " the first (task 1, annotation 1)"
    )


def test_equal_problems_of_many_tasks_are_one() -> None:
    problems = ProblemLog()
    for number in range(100_000):
        problems.add("it is broken", f"task {number}")
    [problem] = problems
    assert problem.count == 100_000
    assert str(problem) == ("it is broken (task 0, task 1, task 2, task 3, task 4 and 99995 more)")


def test_different_problems_are_bounded() -> None:
    problems = ProblemLog()
    for number in range(10_000):
        problems.add(f"it is broken: {number}", f"task {number}")
    assert len(problems) <= 1001
    assert sum(problem.count for problem in problems) == 10_000


@pytest.mark.parametrize(
    ("xml", "value", "labels"),
    [
        ('<Choices name="a" toName="t"><Choice value="x"/></Choices>', ["x"], ["x"]),
        ('<Choices name="a" toName="t"><Choice value="x"/></Choices>', "x", ["x"]),
        ('<Taxonomy name="a" toName="t"><Choice value="x"/></Taxonomy>', [["x", "y"]], ["x/y"]),
        ('<Rating name="a" toName="t"/>', 3, []),
        ('<Labels name="a" toName="t"><Label value="x"/></Labels>', None, []),
    ],
    ids=["choices", "one choice", "path", "rating", "no value"],
)
def test_labels_of_a_value(xml: str, value: object, labels: list[str]) -> None:
    config = LabelConfig.parse(f'<View><Text name="t" value="$t"/>{xml}</View>')
    assert labels_of(config.controls[0], value) == labels


@pytest.mark.parametrize("value", ["high", 10**400, math.inf, math.nan, [1]], ids=type)
def test_scores_that_are_no_numbers_are_none(value: object) -> None:
    stored = prediction([box()], score=value)
    task = read_task(raw_task({"image": "x"}, [annotation(lead_time=value)], [stored]), BOXES)
    assert task.predictions[0].score is None
    assert task.annotations[0].lead_time is None
    assert not math.isnan(len(task.name))
