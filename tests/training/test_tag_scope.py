"""The part of a task that a training is about: its control tags, its object tag, its labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shared.backend.claim import Claim, ModelSpec
from shared.evaluation.annotated_task import AnnotatedTask
from shared.label_studio.label_config import LabelConfig
from shared.training.tag_scope import TagScope
from tests.evaluation.tasks import read_task

Raw = dict[str, Any]
XML = """<View>
  <Text name="text" value="$text"/><Text name="other" value="$other"/>
  <Labels name="entity" toName="text,other"><Label value="City"/><Label value="Person"/></Labels>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="Work"/><Choice value="Home"/></Choices>
  <Taxonomy name="place" toName="text"><Choice value="EU"><Choice value="Rome"/></Choice>
    <Choice value="US"><Choice value="Rome"/></Choice></Taxonomy>
  <Rating name="stars" toName="text"/>
</View>"""
DATA = {"text": "Ann in Rome", "other": "Bob in Oslo"}


def scope_of(*names: str) -> TagScope:
    config = LabelConfig.parse(XML)
    controls = tuple(c for c in config.controls if c.name in names)
    return TagScope(config, Claim(controls, config.objects["text"], ModelSpec("some", "some")))


def span(label: str, start: int, end: int, to_name: str = "text") -> Raw:
    value = {"start": start, "end": end, "text": "", "labels": [label]}
    own = {"id": f"{label}{to_name}", "type": "labels", "from_name": "entity", "to_name": to_name}
    return {**own, "value": value}


def answer(name: str, kind: str, value: Any) -> Raw:
    return {"type": kind, "from_name": name, "to_name": "text", "value": {kind: value}, "id": name}


def task_with(*results: Mapping[str, Any]) -> AnnotatedTask:
    raw = {"id": 1, "data": DATA, "annotations": [{"id": 2, "result": list(results)}]}
    found = read_task(raw, XML)
    assert found is not None
    return found


EVERYTHING = (
    span("City", 7, 11),
    span("Person", 0, 3),
    span("Person", 0, 3, "other"),
    answer("mood", "choices", ["Bad"]),
    answer("topics", "choices", ["Work", "Home"]),
    answer("place", "taxonomy", [["EU", "Rome"], ["US", "Rome"]]),
    answer("stars", "rating", 4),
)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        pytest.param("entity", {"City", "Person"}, id="spans"),
        pytest.param("mood", {"Bad"}, id="a choice"),
        pytest.param("topics", {"Work", "Home"}, id="several choices"),
        pytest.param("place", {"EU/Rome", "US/Rome"}, id="paths"),
        pytest.param("stars", {""}, id="a value"),
    ],
)
def test_labels_of_a_task(name: str, labels: set[str]) -> None:
    assert scope_of(name).labels_in(task_with(*EVERYTHING)) == labels
    assert scope_of(name).labels_in(task_with()) == set()


def narrowed(name: str, labels: Sequence[str], *results: Raw) -> list[list[Any]]:
    """The values of each task that is left."""
    scope = scope_of(name)
    config = scope.learning_config(labels)
    found = []
    for task in scope.narrow([task_with(*results)], config, labels):
        assert task.config is config
        [annotation] = task.annotations
        found.append([value for one in annotation.regions for value in one.values.values()])
    return found


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        pytest.param("entity", ["City", "Person"], [[["City"], ["Person"]]], id="on its object"),
        pytest.param("entity", ["City"], [[["City"]]], id="one label"),
        pytest.param("mood", ["Good", "Bad"], [[["Bad"]]], id="a choice"),
        pytest.param("mood", ["Good"], [], id="a choice that is not learned is no answer"),
        pytest.param("topics", ["Home"], [[["Home"]]], id="of several choices those that are"),
        pytest.param("topics", ["Other"], [[]], id="none of several choices is an answer"),
        pytest.param("place", ["US/Rome"], [[[["US", "Rome"]]]], id="paths"),
        pytest.param("stars", [""], [[4]], id="a value"),
    ],
)
def test_narrowed(name: str, labels: list[str], expected: list[list[Any]]) -> None:
    assert narrowed(name, labels, *EVERYTHING) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("entity", [[]], id="no region is something to learn"),
        pytest.param("mood", [], id="no choice is not"),
        pytest.param("stars", [], id="nor is no value"),
    ],
)
def test_without_an_answer(name: str, expected: list[list[Any]]) -> None:
    assert narrowed(name, ["City", "Bad"]) == expected


def test_learning_config() -> None:
    config = scope_of("place").learning_config(["US/Rome"])
    [control] = config.controls
    assert list(control.paths) == [("US", "Rome")]
    assert list(config.objects) == ["text"]
    entity, mood = scope_of("entity", "mood").learning_config(["City"]).controls
    assert (list(entity.labels), list(mood.labels)) == (["City"], ["Good", "Bad"])


def test_further_object_tags_belong_to_what_is_learned_from() -> None:
    scope = scope_of("mood")
    other = scope.config.objects["other"]
    wide = TagScope(scope.config, scope.claim, objects=(other,))
    assert list(scope.own_config.objects) == ["text"]
    assert list(wide.own_config.objects) == list(wide.learning_config(["Good"]).objects)
    assert list(wide.own_config.objects) == ["text", "other"]
