"""The validator: never raises, is fast, and is right where the SDK's is not."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from shared.label_studio.label_config import LabelConfig
from shared.results import Document, TextSpan, region
from shared.results.validation import check_prediction, check_results, check_task

from .test_bad_input import CONFIG, DATA, GONE, VALUES, prediction, result

Json = dict[str, Any]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = sorted({key for value in VALUES.values() for key in value})
# A busy machine makes values slowly, which says nothing of the validator.
on_any_machine = settings(suppress_health_check=[HealthCheck.too_slow])


@on_any_machine
@given(junk)
def test_junk_never_raises(found: Any) -> None:
    check_results(CONFIG, found)
    check_results(CONFIG, [found])
    check_prediction(CONFIG, found)
    check_task(CONFIG, found)
    check_task(CONFIG, {"data": found, "predictions": found})


@on_any_machine
@given(
    st.sampled_from(sorted(VALUES)), st.dictionaries(st.sampled_from(KEYS), junk, max_size=4), junk
)
def test_good_results_with_junk_in_them_never_raise(name: str, value: Json, odd: Any) -> None:
    found = result(name, **value)
    for key in ("id", "parentID", "item_index", "original_width", "to_name", "type", "score"):
        check_task(CONFIG, {"data": DATA, "predictions": [prediction([{**found, key: odd}])]})
    for line in check_results(CONFIG, [found], DATA):
        line.message.encode()


Document.parse("")  # imports the HTML parser, which would be too much for an example's time


@on_any_machine
@given(st.dictionaries(st.sampled_from(sorted(DATA)), junk))
def test_odd_data_never_raises(data: Json) -> None:
    results = [{**result(name), "id": name} for name in VALUES]
    check_task(CONFIG, {"data": data, "predictions": [prediction(results)]})


def test_a_message_can_always_be_printed() -> None:
    for odd in ("\ud800", "x" * 10_000, 10**6000, {"a": {"b": "c" * 200}}, {1: {2}}):
        for line in check_results(CONFIG, [{**result("box"), "score": odd, "id": odd}]):
            line.message.encode()
            assert len(line.message) < 300


def test_labels_that_a_task_brings_are_not_asked_for() -> None:
    config = LabelConfig.parse(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t" value="$options"/></View>'
    )
    found = {"id": "a", "from_name": "c", "to_name": "t", "type": "choices"}
    assert check_results(config, [{**found, "value": {"choices": ["anything"]}}]) == []


REPEATED = """<View><Repeater on="$pages" indexFlag="{{idx}}">
  <Image name="page_{{idx}}" value="$pages[{{idx}}].url"/>
  <RectangleLabels name="box_{{idx}}" toName="page_{{idx}}"><Label value="A"/></RectangleLabels>
</Repeater></View>"""


@pytest.mark.parametrize(
    ("name", "to_name", "rules"),
    [
        ("box_3", "page_3", set()),
        ("box_x", "page_3", {"unknown_from_name"}),
        ("box_3", "image", {"wrong_to_name"}),
    ],
)
def test_names_in_a_repeater(name: str, to_name: str, rules: set[str]) -> None:
    value = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["A"]}
    found = {"id": "a", "from_name": name, "to_name": to_name, "type": "rectanglelabels"}
    findings = check_results(LabelConfig.parse(REPEATED), [{**found, "value": value}])
    assert {finding.rule for finding in findings} == rules


def sdk_errors(results: list[Json]) -> list[str]:
    found = json.loads(json.dumps(prediction(results)))
    errors = LabelInterface(CONFIG.xml).validate_prediction(found, return_errors=True)
    return list(errors) if isinstance(errors, list) else []


LAX = {
    "negative x": result("box", x=-5),
    "past the edge": result("box", x=90),
    "no labels": result("box", rectanglelabels=[]),
    "polygon of one point": result("polygon", points=[[1, 1]]),
    "number over the most": result("number", number=99),
}
TOO_STRICT = {
    "pairwise on itself": {**result("pair"), "to_name": "pair"},
    "nested choices": result("nested"),
    "keyframes without time": result(
        "track",
        sequence=[
            {key: part for key, part in VALUES["track"]["sequence"][0].items() if key != "time"}
        ],
    ),
    "time series without instant": result("phases", instant=GONE),
}


@pytest.mark.parametrize("found", LAX.values(), ids=LAX)
def test_it_is_stricter_than_the_sdk(found: Json) -> None:
    assert sdk_errors([found]) == []
    assert check_results(CONFIG, [found])


@pytest.mark.parametrize("found", TOO_STRICT.values(), ids=TOO_STRICT)
def test_it_takes_what_the_sdk_wrongly_rejects(found: Json) -> None:
    assert sdk_errors([found])
    assert check_results(CONFIG, [found]) == []


def test_a_span_costs_microseconds() -> None:
    control = CONFIG.find_control("labels")
    assert control is not None
    text = "word " * 1000
    results = [
        found
        for at in range(0, 5000, 5)
        for found in region(TextSpan(at, at + 4), {control: "Person"}, text, 0.5).results
    ]
    times = []
    for _ in range(10):
        start = time.perf_counter()
        assert check_results(CONFIG, results) == []
        times.append(time.perf_counter() - start)
    assert min(times) / len(results) < 15e-6


def test_a_document_that_is_nested_too_deep_is_named() -> None:
    xml = """<View><HyperText name="o" value="$html"/><HyperTextLabels name="c" toName="o">
      <Label value="A"/></HyperTextLabels></View>"""
    value = {"start": "/div[1]", "end": "/div[1]", "startOffset": 0, "endOffset": 1}
    value |= {"hypertextlabels": ["A"]}
    result = {"id": "r", "from_name": "c", "to_name": "o", "type": "hypertextlabels"}
    config, data = LabelConfig.parse(xml), {"html": "<div>" * 600 + "x"}
    [finding] = check_results(config, [{**result, "value": value}], data)
    assert (finding.rule, finding.severity) == ("document", "warning")
    assert "512 deep" in finding.message


def test_few_of_many_missing_keys_are_named() -> None:
    config = LabelConfig.parse(
        f'<View><Text name="t" value="{"".join(f"$a{n}" for n in range(99))}"/></View>'
    )
    found = check_task(config, {"data": {"b": 1}})
    assert [finding.rule for finding in found] == ["missing_data"] * 10


@pytest.mark.parametrize(
    ("attrs", "index", "good"),
    [
        ('value="$u" perItem="true"', None, False),
        ('value="$u" perItem="true"', 0, True),
        ('valueList="$u" perItem="true"', 1, True),
        ('valueList="$u"', None, True),
    ],
    ids=["one image", "its index", "of a list", "the whole list"],
)
def test_values_of_items_say_which_item_they_are_of(
    attrs: str, index: int | None, good: bool
) -> None:
    """As tried in the editor of 1.23.2: without it nothing is chosen there."""
    shown, _, more = attrs.partition(" ")
    config = LabelConfig.parse(
        f'<View><Image name="i" {shown}/><Rating name="r" toName="i" {more}/></View>'
    )
    result = {"id": "a", "from_name": "r", "to_name": "i", "type": "rating", "value": {"rating": 2}}
    found = check_results(config, [result | ({} if index is None else {"item_index": index})])
    assert [finding.rule for finding in found] == ([] if good else ["item_index"])
