"""Labels that a task brings are those that the editor of Label Studio 1.23.2 makes of its data."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from shared.backend.base import Backend, Context
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.errors import LabelsError, UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_task_labels
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runtime import runtime
from shared.results import (
    AudioSpan,
    Bitmask,
    Brush,
    Dialogue,
    Ellipse,
    HyperTextSpan,
    ImageSize,
    KeyPoint,
    ParagraphSpan,
    Polygon,
    Rectangle,
    Region,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
    Vector,
    Video,
    VideoBox,
    VideoTrack,
    region,
    whole_task,
)
from shared.results.validation import check_task
from tests.tiny import made, routed

Json = dict[str, Any]

TEXT = "Angela lives"
SIZE = ImageSize(10, 10)
CLIP = Video(SIZE, 10, 10.0)
MASK = np.eye(10, dtype=np.uint8)
SPANS: dict[tuple[str, str], tuple[Any, Any]] = {
    ("Labels", "Text"): (TextSpan(0, 6), TEXT),
    ("HyperTextLabels", "HyperText"): (HyperTextSpan(0, 6), TEXT),
    ("ParagraphLabels", "Paragraphs"): (ParagraphSpan(0, 0, 2), Dialogue(("Hello",), ("A",))),
    ("RectangleLabels", "Image"): (Rectangle(1, 1, 5, 5), SIZE),
    ("PolygonLabels", "Image"): (Polygon([(1, 1), (5, 1), (5, 5)]), SIZE),
    ("EllipseLabels", "Image"): (Ellipse(5, 5, 2, 2), SIZE),
    ("KeyPointLabels", "Image"): (KeyPoint(5, 5), SIZE),
    ("BrushLabels", "Image"): (Brush(MASK), SIZE),
    ("BitmaskLabels", "Image"): (Bitmask(MASK), SIZE),
    ("VectorLabels", "Image"): (Vector([(1, 1), (5, 1)]), SIZE),
    ("Labels", "Audio"): (AudioSpan(0, 1), 2.0),
    ("TimeSeriesLabels", "TimeSeries"): (TimeSeriesSpan(0, 1), None),
    ("TimelineLabels", "Video"): (TimelineSpan(0, 5), CLIP),
}
"""For each pair of tags a shape, and what it lies on."""
ANSWERS = frozenset({("Choices", "Text"), ("Taxonomy", "Text")})
CLASSES = {"PER": 0.9, "place": 0.8, "Cat": 0.1}
"""What the model says, and how sure it is."""


class Sure(Backend):
    """Says the same of every task: of each pair of tags a shape, with each label that it knows."""

    name = "sure"
    fills = frozenset({*SPANS, *ANSWERS, ("VideoRectangle", "Video")})

    def claim(self, config: LabelConfig) -> list[Claim]:
        beside = tuple(c for c in config.controls if c.tag == "Labels")
        return [
            Claim((*claim.controls, *beside), claim.object, claim.spec)
            if claim.control.tag == "VideoRectangle"
            else claim
            for claim in super().claim(config)
        ]

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        return "said"

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        control = claim.control
        if control.tag in {"Choices", "Taxonomy"}:
            said = select_choices(CLASSES, claim, one=False)
            if said is not None:
                yield whole_task(control, said.answer, said.score)
            return
        for name, label in claim.label_map(CLASSES, claim.controls[-1]).to_label.items():
            if control.tag == "VideoRectangle":
                track = VideoTrack([VideoBox(0, Rectangle(1, 1, 5, 5))])
                yield region(track, {control: [label]}, CLIP, CLASSES[name])
            else:
                shape, on = SPANS[control.tag, claim.object.tag]
                yield region(shape, {control: [label]}, on, CLASSES[name])


def predicted(xml: str, *data: Json) -> list[TaskOutcome]:
    tasks = [{"id": number, "data": given} for number, given in enumerate(data, start=1)]
    return list(runtime().pipeline.run(routed(made(Sure, xml), xml=xml), tasks))


def results(outcome: TaskOutcome) -> list[Json]:
    """What a prediction holds."""
    assert outcome.prediction is not None, outcome.error
    return [dict(result) for result in outcome.prediction.results]


LABELS: list[Json] = [
    {"value": "Person", "predicted_values": "per, human", "background": "#ff0000"},
    {"value": "The place", "alias": "Place", "html": "<b>P</b>", "hint": "where", "selected": True},
    {"value": "Animal"},
]
TAGS = (
    '<Label value="Person" predicted_values="per, human"/>'
    '<Label value="The place" alias="Place"/><Label value="Animal"/>'
)


@pytest.mark.parametrize(("tag", "target"), SPANS, ids="-".join)
def test_labels_of_a_task_are_as_good_as_tags(tag: str, target: str) -> None:
    shown = f'<{target} name="o" value="$data"/></View>'
    tags = f'<View><{tag} name="c" toName="o">{TAGS}</{tag}>{shown}'
    [expected] = predicted(tags, {})
    assert [r["value"][tag.lower()] for r in results(expected)] == [["Person"], ["Place"]]
    listed = f'<View><{tag} name="c" toName="o" value="$labels"/>{shown}'
    mixed = f'<View><{tag} name="c" toName="o" value="$labels">{TAGS[:53]}</{tag}>{shown}'
    assert [results(o) for o in predicted(listed, {"labels": LABELS})] == [results(expected)]
    assert [results(o) for o in predicted(mixed, {"labels": LABELS[1:]})] == [results(expected)]


def test_labels_of_a_task_beside_what_draws_without_them() -> None:
    xml = """<View><Video name="o" value="$data"/><VideoRectangle name="box" toName="o"/>
      <Labels name="c" toName="o" value="$labels"/></View>"""
    [outcome, other] = predicted(xml, {"labels": LABELS}, {"labels": [{"value": "place"}]})
    assert [r["value"]["labels"] for r in results(outcome)] == [["Person"], ["Place"]]
    assert [r["value"]["labels"] for r in results(other)] == [["place"]]


TREE: list[Json] = [
    {"value": "Being", "children": [{"value": "Per"}, {"value": "cat"}]},
    {"value": "Thing", "alias": "T", "children": [{"value": "P", "alias": "Place"}]},
]
PATHS = [["Being", "Per"], ["T", "Place"]]


@pytest.mark.parametrize(
    ("attributes", "options", "chosen"),
    [
        pytest.param("", LABELS[1:], ["Place"], id="objects"),
        pytest.param('choice="multiple"', [{"value": "per"}, *LABELS[1:]], ["per", "Place"]),
        pytest.param("", [{"value": "$who"}], ["PER"], id="a variable in an option"),
        pytest.param("", TREE, None, id="nested, but not allowNested"),
        pytest.param('allowNested="true" choice="multiple"', TREE, PATHS, id="allowNested"),
    ],
)
def test_choices(attributes: str, options: list[Json], chosen: list[Any] | None) -> None:
    xml = f"""<View><Text name="o" value="$text"/>
      <Choices name="c" toName="o" value="$options" {attributes}/></View>"""
    [outcome] = predicted(xml, {"options": options, "who": "PER"})
    if chosen is None:
        assert isinstance(outcome.error, UnfillableError)
    else:
        assert [r["value"]["choices"] for r in results(outcome)] == [chosen]


def test_taxonomy() -> None:
    xml = """<View><Text name="o" value="$text"/>
      <Taxonomy name="c" toName="o" value="$tree.of[0]"/></View>"""
    [outcome] = predicted(xml, {"tree": {"of": [TREE]}})
    assert [r["value"]["taxonomy"] for r in results(outcome)] == [PATHS]


def test_choices_whose_tags_have_variables() -> None:
    xml = """<View><Text name="o" value="$text"/><Choices name="c" toName="o" choice="multiple">
      <Choice value="$first"/><Choice value="the $second" alias="Place"/><Choice value="$third"/>
      </Choices></View>"""
    [one, other] = predicted(
        xml,
        {"first": "per", "second": "x", "third": "place"},
        {"first": "a", "second": "b", "third": "CAT"},
    )
    assert [r["value"]["choices"] for r in results(one)] == [["per", "place"]]
    assert results(other) == [] or [r["value"]["choices"] for r in results(other)] == [["Place"]]


ON_TEXT = '<View><Labels name="c" toName="o" value="$labels"/><Text name="o" value="$text"/></View>'


def test_each_task_has_labels_of_its_own_and_all_one_version() -> None:
    people, places, _ = predicted(
        ON_TEXT,
        *({"labels": [{"value": value}]} for value in ("PER", "Place", "Tree")),
    )
    assert [r["value"]["labels"] for r in results(people)] == [["PER"]]
    assert [r["value"]["labels"] for r in results(places)] == [["Place"]]
    assert people.prediction is not None
    assert places.prediction is not None
    version = routed(made(Sure, ON_TEXT), xml=ON_TEXT).version()
    assert people.prediction.version == places.prediction.version == version


def test_validate_names_a_label_that_the_task_does_not_have() -> None:
    config = LabelConfig.parse(ON_TEXT)
    result = {"id": "a", "from_name": "c", "to_name": "o", "type": "labels"}
    result |= {"value": {"start": 0, "end": 6, "text": "Angela", "labels": ["Person"]}}
    predictions = [{"model_version": "m", "score": 0.5, "result": [result]}]
    own = {"data": {"text": TEXT, "labels": [{"value": "Person"}]}, "predictions": predictions}
    assert check_task(config, own) == []
    others = {**own, "data": {"text": TEXT, "labels": [{"value": "Place"}]}}
    [finding] = check_task(config, others)
    assert finding.rule == "unknown_label"
    assert finding.severity == "error"
    assert 'has no label "Person" in this task ($labels); there is "Place"' in finding.message
    none = {**own, "data": {"text": TEXT, "labels": []}}
    assert [finding.rule for finding in check_task(config, none)] == ["unknown_label"]


@pytest.mark.parametrize(
    ("tag", "value", "wrong"),
    [
        ("Choices", {"choices": ["Place"]}, {"choices": ["cat"]}),
        ('Choices allowNested="true"', {"choices": [["Being", "cat"]]}, {"choices": [["cat"]]}),
        ("Taxonomy", {"taxonomy": [["T", "Place"]]}, {"taxonomy": [["Thing", "Place"]]}),
    ],
)
def test_validate_knows_the_choices_of_a_task(tag: str, value: Json, wrong: Json) -> None:
    xml = f'<View><{tag} name="c" toName="o" value="$labels"/><Text name="o" value="$text"/></View>'
    config, name = LabelConfig.parse(xml), tag.split()[0].lower()
    labels = [*TREE, {"value": "The place", "alias": "Place"}]
    for said, rules in ((value, []), (wrong, ["unknown_label"])):
        result = {"id": "a", "from_name": "c", "to_name": "o", "type": name, "value": said}
        predictions = [{"model_version": "m", "score": 0.5, "result": [result]}]
        task = {"data": {"text": TEXT, "labels": labels}, "predictions": predictions}
        assert [finding.rule for finding in check_task(config, task)] == rules


FAULTS: list[tuple[Any, str]] = [
    (["Person", "Place"], 'a string ("Person") among its labels'),
    ([3], "a number (3) among its labels"),
    ([None], "nothing among its labels, with which the editor shows no task"),
    ([["Person"]], 'a list (["Person"]) among its labels'),
    ([{"value": 3}], '"value": 3 in a label, expected a string: the editor shows no task'),
    ([{"value": "A", "alias": 3}], '"alias": 3 in a label'),
    ([{"value": "A", "selected": "true"}], '"selected": "true" in a label, expected true or false'),
    ([{"alias": "Person"}], 'a label without a name ({"alias":"Person"})'),
    ([{"value": ""}], "a label without a name"),
    ([{"value": "A", "children": [{"value": "B"}]}], '"children" of "A"'),
    ("Person", 'a string ("Person") for its labels, expected a list of objects'),
    ({"value": "Person"}, "an object"),
    (None, "nothing for its labels"),
    ([10**30], "a number"),
]


@pytest.mark.parametrize(("labels", "message"), FAULTS, ids=repr)
def test_what_the_editor_cannot_show_is_said(labels: Any, message: str) -> None:
    config = LabelConfig.parse(ON_TEXT)
    task = {"data": {"text": TEXT, "labels": labels}}
    finding, *more = check_task(config, task)
    assert len(more) == (labels == ["Person", "Place"])
    assert finding.severity == "error"
    assert finding.message.startswith('Labels "c" ($labels): the task has ')
    assert message in finding.message
    assert len(finding.message) < 300


@pytest.mark.parametrize(
    ("tags", "refused"),
    [
        ('<TimelineLabels name="c" toName="o" value="$labels"/>', True),
        ('<TimelineLabels name="c" toName="o" value="$labels[0].of"/>', False),
        ('<TimelineLabels name="c" toName="o"><Label value="A"/></TimelineLabels>', False),
        (
            '<TimelineLabels name="c" toName="o" value="$labels"/>'
            '<Labels name="d" toName="o" value="$labels"/>',
            False,
        ),
    ],
)
def test_a_list_that_label_studio_does_not_import_is_named(tags: str, refused: bool) -> None:
    config = LabelConfig.parse(f'<View>{tags}<Video name="o" value="$video"/></View>')
    found = check_task(config, {"data": {"video": "/a.mp4", "labels": [{"value": "A"}]}})
    assert ("labels_refused" in [finding.rule for finding in found]) == refused


def test_a_task_without_a_label_that_could_be_shown_answers_nothing_and_says_why() -> None:
    listed, missing, good = predicted(
        ON_TEXT, {"labels": ["PER", "Place"]}, {}, {"labels": ["PER", {"value": "Place"}]}
    )
    assert listed.to_response() == missing.to_response() == []
    assert type(listed.error) is type(missing.error) is LabelsError
    assert 'write {"value": "PER"}' in str(listed.error)
    assert "nothing for its labels" in str(missing.error)
    assert [r["value"]["labels"] for r in results(good)] == [["Place"]]
    counts = runtime().failures.counts()
    assert counts == {("sure", "labels"): 3}


def test_a_fault_costs_no_other_control_tag() -> None:
    xml = ON_TEXT.replace("<Text", '<Labels name="d" toName="o"><Label value="PER"/></Labels><Text')
    [outcome] = predicted(xml, {"labels": "none"})
    assert [r["from_name"] for r in results(outcome)] == ["d"]


def test_an_apiurl_is_not_read_and_that_is_said() -> None:
    xml = """<View><Taxonomy name="c" toName="o" apiUrl="https://example.com/tree" value="$tree"/>
      <Text name="o" value="$text"/></View>"""
    route = routed(made(Sure, xml), xml=xml)
    assert not route.steps
    assert any("apiUrl" in problem for problem in route.problems)
    result = {"id": "a", "from_name": "c", "to_name": "o", "type": "taxonomy"}
    result |= {"value": {"taxonomy": [["anything"]]}}
    predictions = [{"model_version": "m", "score": 0.5, "result": [result]}]
    task = {"data": {"text": TEXT, "tree": TREE}, "predictions": predictions}
    assert check_task(LabelConfig.parse(xml), task) == []


def test_a_taxonomy_with_tags_has_no_choices_of_the_task() -> None:
    """As the editor has it, of which the tags hide the task's."""
    xml = """<View><Taxonomy name="c" toName="o" value="$tree"><Choice value="Place"/></Taxonomy>
      <Text name="o" value="$text"/></View>"""
    route = routed(made(Sure, xml), xml=xml)
    assert any("Choice tags" in problem for problem in route.problems)
    [outcome] = predicted(xml, {"tree": TREE})
    assert [r["value"]["taxonomy"] for r in results(outcome)] == [[["Place"]]]


def test_equal_labels_are_read_once_and_those_of_many_tasks_are_forgotten() -> None:
    config = LabelConfig.parse(ON_TEXT)
    first = with_task_labels(config, {"labels": LABELS, "text": "a"})
    assert with_task_labels(config, {"labels": LABELS, "text": "b"}) is first
    for number in range(300):
        with_task_labels(config, {"labels": [{"value": str(number)}]})
    assert with_task_labels(config, {"labels": LABELS}) is not first


@pytest.mark.parametrize("odd", ["$", "\ud800", 10**20], ids=["dollar", "surrogate", "number"])
def test_labels_with_anything_in_them_count_with_their_size(odd: Any) -> None:
    config = LabelConfig.parse(ON_TEXT)
    labels = [{"value": "Price", "hint": "x" * 50_000}, {"value": "Odd", "html": odd}]
    labels = labels if isinstance(odd, str) else [*labels, odd]
    made = with_task_labels(config, {"labels": labels})
    assert next(iter(made.controls[0].labels)) == "Price"
    assert made.character_count > 50_000


def test_choices_that_are_long_only_in_the_task_count_with_their_size() -> None:
    config = LabelConfig.parse(ON_TEXT.replace("Labels", "Choices"))
    made = with_task_labels(config, {"labels": [{"value": "$a$a$a$a"}], "a": "x" * 10_000})
    assert made.character_count > 40_000


def test_a_list_that_many_control_tags_show_is_made_once() -> None:
    count = 1000
    tags = "".join(f'<Labels name="c{n}" toName="o" value="$labels"/>' for n in range(count))
    xml = f'<View>{tags}<Text name="o" value="$text"/></View>'
    labels = [{"value": f"label {number}"} for number in range(count)]
    start = time.thread_time()
    made = with_task_labels(LabelConfig.parse(xml), {"labels": labels, "text": TEXT})
    assert time.thread_time() - start < 1.5
    assert len(made.controls) == count
    assert {id(control.labels) for control in made.controls} == {id(made.controls[0].labels)}
    assert list(made.controls[-1].labels) == [f"label {number}" for number in range(count)]
    assert made.controls[-1].name == "c999"


def test_control_tags_that_list_the_same_keep_their_own_labels_and_faults() -> None:
    xml = """<View><Labels name="a" toName="o" value="$labels"/>
      <Labels name="b" toName="o" value="$labels"><Label value="Own"/><Label value="A"/></Labels>
      <Choices name="c" toName="o" value="$labels"/><Taxonomy name="d" toName="o" value="$labels"/>
      <Text name="o" value="$text"/></View>"""
    labels = [{"value": "A", "hint": "h", "children": [{"value": "B"}]}, "C"]
    a, b, c, d = with_task_labels(LabelConfig.parse(xml), {"labels": labels}).controls
    assert [list(control.labels) for control in (a, b, c)] == [["A"], ["Own", "A"], ["A"]]
    assert list(d.labels) == ["A", "B"]
    assert a.labels["A"]["hint"] == "h"
    assert "hint" not in b.labels["A"]
    assert [control.label_faults[0].split()[1] for control in (a, b, c, d)] == [
        '"a"', '"b"', '"c"', '"d"'
    ]  # fmt: skip
    assert [len(control.label_faults) for control in (a, b, c, d)] == [2, 2, 1, 1]


def test_the_error_of_many_control_tags_that_cannot_be_filled_is_short() -> None:
    tags = "".join(f'<Choices name="c{n}" toName="o" value="$labels"/>' for n in range(300))
    labels = [{"value": "nothing like it" * 1000}]
    [outcome] = predicted(f'<View>{tags}<Text name="o" value="$t"/></View>', {"labels": labels})
    assert isinstance(outcome.error, UnfillableError)
    assert str(outcome.error).endswith("; and 297 more control tags")
    assert len(str(outcome.error)) < 4000


def test_labels_deeper_than_any_real_ones_are_left_out() -> None:
    xml = ON_TEXT.replace("Labels", "Taxonomy")
    tree: Json = {"value": "A"}
    for _ in range(900):
        tree = {"value": "A", "children": [tree]}
    [control] = with_task_labels(LabelConfig.parse(xml), {"labels": [tree]}).controls
    assert max(map(len, control.paths)) == 100


def test_a_label_config_without_such_labels_is_itself() -> None:
    config = LabelConfig.parse(ON_TEXT.replace(' value="$labels"', ""))
    assert with_task_labels(config, {"labels": LABELS}) is config
