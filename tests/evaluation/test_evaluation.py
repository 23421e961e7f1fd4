"""Small annotated sets whose figures were computed by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.evaluation import Evaluation, TaskResult
from shared.label_studio.label_config import Control, LabelConfig
from shared.media.image_size import ImageSize
from shared.results import Rectangle, Region, TextSpan, region, whole_task
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.evaluation.tasks import Raw, annotation, prediction, raw_task, read_task

BOXES = LabelConfig.parse(
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
    '<Label value="A"/><Label value="B"/></RectangleLabels></View>'
)
SPANS = LabelConfig.parse(
    '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
    '<Label value="PER"/><Label value="LOC"/></Labels></View>'
)
CLASSES = LabelConfig.parse(
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>'
)
TEXTS = LabelConfig.parse(
    '<View><Text name="text" value="$text"/><TextArea name="answer" toName="text"/></View>'
)
SIZE = ImageSize(100, 100)
TEXT = "Ann met Bob in Rome."


def control_of(config: LabelConfig) -> Control:
    return config.controls[0]


def box(label: str, place: Sequence[float], score: float | None = None) -> Region:
    return region(Rectangle(*place), {control_of(BOXES): [label]}, SIZE, score)


def span(label: str, start: int, end: int) -> Region:
    return region(TextSpan(start, end), {control_of(SPANS): [label]}, TEXT, 0.9)


def topic(name: str, score: float | None = None) -> Region:
    return whole_task(control_of(CLASSES), name, score)


def answer(text: str) -> Region:
    return whole_task(control_of(TEXTS), text)


# (truth, prediction) of each task
Cases = Sequence[tuple[Sequence[Region], Sequence[Region]]]

BOX_CASES: Cases = [
    (
        [box("A", (0, 0, 10, 10)), box("B", (20, 20, 10, 10))],
        [  # IoU 1; IoU 52 / 100; an invention
            box("A", (0, 0, 10, 10), 0.9),
            box("B", (20, 20, 10, 5.2), 0.8),
            box("A", (50, 50, 10, 10), 0.7),
        ],
    ),
    # IoU 16 × 10 / (200 + 200 − 160) = 2/3
    ([box("A", (0, 0, 20, 10))], [box("A", (4, 0, 20, 10), 0.95)]),
    ([box("B", (0, 0, 10, 10))], []),
    ([], []),
    ([], [box("B", (0, 0, 10, 10), 0.3)]),
]
SPAN_CASES: Cases = [
    (
        [span("PER", 0, 3), span("PER", 8, 11), span("LOC", 15, 19)],
        [span("PER", 0, 3), span("LOC", 8, 11), span("LOC", 14, 19)],
    ),
    ([span("LOC", 15, 19)], [span("LOC", 15, 19)]),
    ([], [span("PER", 0, 2)]),
]
CLASS_CASES: Cases = [
    ([topic("a")], [topic("a", 0.9)]),
    ([topic("a")], [topic("b", 0.6)]),
    ([topic("b")], [topic("b", 0.8)]),
    ([topic("c")], [topic("c", 0.7)]),
    ([topic("c")], []),
]
TEXT_CASES: Cases = [
    ([answer("kitten")], [answer("sitting")]),
    ([answer("a b")], [answer("a c")]),
]

# Each figure by its path in the report of a control tag.
EXPECTED: Mapping[str, tuple[LabelConfig, Cases, Mapping[str, float]]] = {
    "boxes": (
        BOXES,
        BOX_CASES,
        {
            "tasks": 4,
            "regions truth": 4,
            "regions predicted": 5,
            "precision": 3 / 5,
            "recall": 3 / 4,
            "f1": 2 / 3,
            "mean_iou": (1 + 2 / 3 + 0.52) / 3,
            # A: hit, hit, miss by score: precision 1 up to recall 1. B: hit, miss: precision 1 up
            # to recall 1/2, which are 51 of 101 recalls.
            "ap50": (1 + 51 / 101) / 2,
            # A at .5 to .65: 1; above, the first is a miss: precision 1/2 up to recall 1/2.
            # B at .5: 51/101; above: 0.
            "ap": ((4 + 6 * 51 / 101 / 2) / 10 + 51 / 101 / 10) / 2,
            "labels A tasks": 2,
            "labels A precision": 2 / 3,
            "labels A recall": 1,
            "labels A f1": 0.8,
            "labels A mean_iou": (1 + 2 / 3) / 2,
            "labels A ap50": 1,
            "labels A ap": (4 + 6 * 51 / 101 / 2) / 10,
            "labels B precision": 1 / 2,
            "labels B recall": 1 / 2,
            "labels B f1": 1 / 2,
            "labels B mean_iou": 0.52,
            "labels B ap50": 51 / 101,
            "labels B ap": 51 / 101 / 10,
        },
    ),
    "spans": (
        SPANS,
        SPAN_CASES,
        {
            "regions truth": 4,
            "regions predicted": 5,
            "precision": 2 / 5,
            "recall": 2 / 4,
            "f1": 4 / 9,
            "labels PER f1": 1 / 2,
            "labels LOC precision": 1 / 3,
            "labels LOC recall": 1 / 2,
            "labels LOC f1": 2 / 5,
            # two right, two of wrong place or type, one spurious
            "schemes strict precision": 2 / 5,
            "schemes strict recall": 2 / 4,
            # the place alone: three right, one wrong, one spurious
            "schemes exact precision": 3 / 5,
            "schemes exact recall": 3 / 4,
            # an overlap counts half
            "schemes partial precision": 3.5 / 5,
            "schemes partial recall": 3.5 / 4,
            # the label of what overlaps: three right
            "schemes ent_type precision": 3 / 5,
            "schemes ent_type recall": 3 / 4,
        },
    ),
    "classes": (
        CLASSES,
        CLASS_CASES,
        {
            "tasks": 5,
            "accuracy": 3 / 5,
            # a: 1 and 1/2; b: 1/2 and 1; c: 1 and 1/2
            "macro_f1": 2 / 3,
            # three right of four predicted and five true
            "micro_f1": 2 * 3 / (4 + 5),
            "labels a precision": 1,
            "labels a recall": 1 / 2,
            "labels b precision": 1 / 2,
            "labels b recall": 1,
            "labels c f1": 2 / 3,
            "confusion a a": 1,
            "confusion a b": 1,
            "confusion b b": 1,
            "confusion c c": 1,
            # each score is in a bin of its own: .9, .8 and .7 are right, .6 is wrong
            "ece": (0.1 + 0.2 + 0.3 + 0.6) / 4,
        },
    ),
    "text areas": (
        TEXTS,
        TEXT_CASES,
        {
            "tasks": 2,
            "cer": (3 + 1) / (6 + 3),
            "wer": (1 + 1) / (1 + 2),
        },
    ),
}
ROWS_OF_FIGURES = [
    pytest.param(config, cases, path, figure, id=f"{name}: {path}")
    for name, (config, cases, figures) in EXPECTED.items()
    for path, figure in figures.items()
]


def evaluate(
    config: LabelConfig, cases: Cases, observed: list[TaskResult] | None = None
) -> dict[str, Any]:
    """Return the report of one version."""
    seen = [] if observed is None else observed
    evaluation = Evaluation(config, observers=[seen.append])
    data = {"text": TEXT, "image": "x.png"}
    for number, (truth, predicted) in enumerate(cases):
        raw = raw_task(data, [annotation(truth)], [prediction(predicted)], number)
        evaluation.add(read_task(raw, config))
    # a task without annotation is unknown: no case
    evaluation.add(read_task(raw_task(data, [], [prediction(cases[0][1])], 99), config))
    return evaluation.report()


@pytest.mark.parametrize(("config", "cases", "path", "figure"), ROWS_OF_FIGURES)
def test_figures_computed_by_hand(
    config: LabelConfig, cases: Cases, path: str, figure: float
) -> None:
    report = evaluate(config, cases)
    found: Any = report["versions"]["v1"]["controls"][control_of(config).name]
    for key in path.split(" "):
        found = found[key]
    assert found == pytest.approx(figure, abs=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_figure_has_its_number_of_cases_and_an_interval(name: str) -> None:
    config, cases, _ = EXPECTED[name]
    report = evaluate(config, cases)
    assert report["versions"]["v1"]["tasks"] == len(cases)
    assert report["tasks"] == {"read": len(cases) + 1, "annotated": len(cases)}
    control = report["versions"]["v1"]["controls"][control_of(config).name]
    assert control["tag"] == control_of(config).tag
    for figures in (control, *control.get("labels", {}).values()):
        assert figures["tasks"] > 0
        for key, (low, high) in figures["interval"].items():
            assert low <= figures[key] <= high


PERFECT = {"precision": 1, "recall": 1, "f1": 1, "ap50": 1, "ap": 1, "mean_iou": 1, "accuracy": 1}
PERFECT |= {"macro_f1": 1, "micro_f1": 1, "cer": 0, "wer": 0, "mae": 0, "tau": 1, "hota": 1}
PERFECT |= {"idf1": 1}
# A figure that is not told by a prediction equal to the truth.
OTHER_KEYS = {"tag", "tasks", "regions", "labels", "interval", "confusion", "ece", "schemes"}
OTHER_KEYS |= {"pairs"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_prediction_equal_to_the_truth_is_perfect_in_every_control_tag(row: Row) -> None:
    scene = SCENES[row.scene]
    regions = [one for one in row.regions() if one.results[0]["type"] != "relation"]
    config = LabelConfig.parse(scene.config)
    evaluation = Evaluation(config)
    raw = raw_task(scene.data(), [annotation(regions)], [prediction(regions)])
    evaluation.add(read_task(raw, config))
    controls = evaluation.report()["versions"]["v1"]["controls"]
    used = {result["from_name"] for one in regions for result in one.results}
    if "box" in used:
        used -= {"labels"}  # the editor writes the labels of a track into its own result
    for name in used:
        figures = {k: v for k, v in controls[name].items() if k not in OTHER_KEYS}
        assert figures, name
        assert figures == pytest.approx({key: PERFECT[key] for key in figures})
        number = sum(
            _count(result)
            for one in regions
            for result in one.results
            if result["from_name"] == name
        )
        assert controls[name]["regions"] == {"truth": number, "predicted": number}
    for name in controls.keys() - used:
        figures = {key: value for key, value in controls[name].items() if key != "pairs" or value}
        assert figures.keys() <= {"tag", "tasks", "regions"}, "a figure of no cases"


def test_labels_of_a_track_are_compared_wherever_they_stand() -> None:
    scene = SCENES["video"]
    [row] = [row for row in ROWS if row.name == "videorectangle and labels"]
    config = LabelConfig.parse(scene.config)
    [track] = row.regions()
    # as the editor writes it: one result, with the labels
    [own, labels] = track.results
    submitted = {**own, "value": {**own["value"], "labels": labels["value"]["labels"]}}
    evaluation = Evaluation(config)
    annotated = {**annotation(), "result": [submitted]}
    evaluation.add(read_task(raw_task(scene.data(), [annotated], [prediction([track])]), config))
    box = evaluation.report()["versions"]["v1"]["controls"]["box"]
    assert box["labels"]["Car"]["hota"] == pytest.approx(1)


def _count(result: Mapping[str, Any]) -> int:
    """A region, or each of the texts that one holds."""
    return len(result["value"]["text"]) if result["type"] == "textarea" else 1


def test_task_results_say_what_became_of_each_region() -> None:
    observed: list[TaskResult] = []
    evaluate(BOXES, BOX_CASES, observed)
    assert [(one.misses, one.inventions) for one in observed] == [
        (0, 1),
        (0, 0),
        (1, 0),
        (0, 0),
        (0, 1),
    ]
    # of the first: two hits of two true and three predicted
    assert [one.score for one in observed] == pytest.approx([0.8, 1, 0, 1, 0])
    assert observed[0].outcomes["box"].hits[0].similarity == 1


def test_worst_tasks_come_first() -> None:
    evaluation = Evaluation(BOXES)
    for number in range(50):
        predicted = [box("A", (0, 0, 10, 10)) for _ in range(1)] if number % 7 else []
        raw = raw_task(
            {"image": "x"}, [annotation([box("A", (0, 0, 10, 10))])], [prediction(predicted)]
        )
        evaluation.add(read_task({**raw, "id": number}, BOXES))
    worst = evaluation.versions["v1"].worst_tasks()
    assert [result.task.id for result in worst] == [0, 7, 14, 21, 28, 35, 42, 49]


def test_versions_have_cases_of_their_own() -> None:
    evaluation = Evaluation(CLASSES)
    made: list[Raw] = [
        raw_task(
            {"text": "x"},
            [annotation([topic("a")])],
            [prediction([topic("a")], "one"), prediction([topic("b")], "two")],
        ),
        raw_task({"text": "x"}, [annotation([topic("a")])], [prediction([topic("a")], "two")]),
    ]
    for raw in made:
        evaluation.add(read_task(raw, CLASSES))
    versions = evaluation.report()["versions"]
    assert {
        name: (v["tasks"], v["controls"]["topic"]["accuracy"]) for name, v in versions.items()
    } == {
        "one": (1, 1),
        "two": (2, 0.5),
    }
    assert list(Evaluation(CLASSES, versions=["two"]).versions) == ["two"]


def test_each_of_all_annotations_is_compared_and_the_task_drawn_as_one() -> None:
    evaluation = Evaluation(CLASSES, AnnotationChoice.all)
    made = [annotation([topic(name)], id=number) for number, name in enumerate("aab")]
    evaluation.add(read_task(raw_task({"text": "x"}, made, [prediction([topic("a")])]), CLASSES))
    report = evaluation.report()["versions"]["v1"]
    assert report["tasks"] == 1
    assert report["controls"]["topic"]["accuracy"] == pytest.approx(2 / 3)


def test_nothing_is_reported_of_no_tasks() -> None:
    report = Evaluation(CLASSES, versions=["v1"]).report()
    control = report["versions"]["v1"]["controls"]["topic"]
    assert control == {"tag": "Choices", "tasks": 0, "regions": {"truth": 0, "predicted": 0}}
