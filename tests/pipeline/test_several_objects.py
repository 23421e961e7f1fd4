"""A control tag on several object tags (`toName="a,b"`) is filled on each that can be."""

from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.results import TextSpan, parse_regions
from shared.results.validation import check_task
from tests.label_studio.test_task_labels import Sure
from tests.tiny import WordBackend, made, routed

Json = dict[str, Any]

TWO = """<View><Text name="a" value="$one"/><Text name="b" value="$two"/>
  <Labels name="c" toName="a,b"><Label value="Word"/><Label value="PER"/></Labels></View>"""
DATA = {"one": "Hello you", "two": "Goodbye"}


def predicted(backend: Any, xml: str, data: Json) -> list[Json]:
    [outcome] = runtime().pipeline.run(routed(backend, xml=xml), [{"id": 1, "data": data}])
    assert outcome.prediction is not None, outcome.error
    return [dict(result) for result in outcome.prediction.results]


def test_each_object_tag_gets_its_own_regions() -> None:
    results = predicted(made(WordBackend, TWO), TWO, DATA)
    assert [(r["to_name"], r["value"]["text"]) for r in results] == [
        ("a", "Hello"),
        ("b", "Goodbye"),
    ]
    assert len({result["id"] for result in results}) == 2
    task = {"data": DATA, "predictions": [{"model_version": "m", "result": results}]}
    assert check_task(LabelConfig.parse(TWO), task) == []
    route = routed(made(WordBackend, TWO), xml=TWO)
    assert (len(route.steps), route.problems) == (2, ())


def test_labels_of_the_task_on_each_object_tag() -> None:
    xml = TWO.replace('<Label value="Word"/><Label value="PER"/>', "")
    xml = xml.replace('toName="a,b"', 'toName="a,b" value="$labels"')
    results = predicted(made(WordBackend, xml), xml, {**DATA, "labels": [{"value": "Word"}]})
    assert [(r["to_name"], r["value"]["labels"]) for r in results] == [
        ("a", ["Word"]),
        ("b", ["Word"]),
    ]


def test_the_object_tag_that_nothing_fills_is_named() -> None:
    xml = TWO.replace('<Text name="b"', '<Paragraphs name="b"')
    route = routed(made(WordBackend, xml), xml=xml)
    assert [claim.object.name for claim in route.all_claims()] == ["a"]
    assert route.problems == (
        'Labels "c" is filled on Text "a", not on Paragraphs "b": nothing that serves here'
        " fills it",
    )


@pytest.mark.parametrize(("first", "filled"), [("Text", "a"), ("Audio", "b")])
def test_of_an_answer_about_all_of_them_the_editor_shows_one(first: str, filled: str) -> None:
    xml = f"""<View><{first} name="a" value="$one"/><Text name="b" value="$two"/>
      <Choices name="c" toName="a,b"><Choice value="PER"/></Choices></View>"""
    results = predicted(made(Sure, xml), xml, DATA)
    assert [(r["to_name"], r["value"]["choices"]) for r in results] == [(filled, ["PER"])]
    [problem] = routed(made(Sure, xml), xml=xml).problems
    assert problem.startswith('Choices "c" is filled on Text "')
    assert problem.endswith("the editor shows one answer of it")


def test_what_draws_and_its_labels_share_each_image() -> None:
    xml = """<View><Video name="a" value="$one"/><Video name="b" value="$two"/>
      <VideoRectangle name="box" toName="a,b"/>
      <Labels name="c" toName="a,b"><Label value="PER"/></Labels></View>"""
    results = predicted(made(Sure, xml), xml, DATA)
    assert [(r["from_name"], r["to_name"]) for r in results] == [("box", "a"), ("box", "b")]


def test_validation_looks_at_the_object_tag_that_a_result_is_on() -> None:
    result = {"id": "x", "from_name": "c", "to_name": "b", "type": "labels"}
    result["value"] = {"start": 0, "end": 7, "text": "Goodbye", "labels": ["Word"]}
    config = LabelConfig.parse(TWO)

    def rules(**changes: Any) -> list[str]:
        predictions = [{"model_version": "m", "result": [{**result, **changes}]}]
        return [f.rule for f in check_task(config, {"data": DATA, "predictions": predictions})]

    assert rules() == []
    assert rules(to_name="a") == ["text"]
    assert rules(to_name="d") == ["wrong_to_name"]
    assert rules(value={**result["value"], "end": 9, "text": "Goodbye"}) == ["past_the_end"]


def test_shapes_of_other_kinds_under_one_control_tag() -> None:
    xml = TWO.replace('<Text name="b"', '<Audio name="b"')
    spans: list[Json] = [{"start": 0, "end": 5, "text": "Hello"}, {"start": 0.5, "end": 1.0}]
    results = [
        {
            "id": to,
            "from_name": "c",
            "to_name": to,
            "type": "labels",
            "value": v | {"labels": ["PER"]},
        }
        for to, v in zip("ab", spans, strict=True)
    ]
    task = {"data": DATA, "predictions": [{"model_version": "m", "result": results}]}
    assert [f.rule for f in check_task(LabelConfig.parse(xml), task)] == []
    swapped = [r | {"to_name": to} for r, to in zip(results, "ba", strict=True)]
    task["predictions"] = [{"model_version": "m", "result": swapped}]  # type: ignore[assignment]
    assert "error" in {f.severity for f in check_task(LabelConfig.parse(xml), task)}


def test_regions_are_read_back_on_their_object_tag() -> None:
    results = predicted(made(WordBackend, TWO), TWO, DATA)
    readings = parse_regions(results, LabelConfig.parse(TWO), {"a": DATA["one"], "b": DATA["two"]})
    assert [reading.shape for reading in readings] == [TextSpan(0, 5), TextSpan(0, 7)]
    assert [list(reading.to_region().results) for reading in readings] == [[r] for r in results]
