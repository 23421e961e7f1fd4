"""What a model quotes becomes spans, with what is said of each and the relations between them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.prompt.answer_schema import build_schema, check_answer
from backends.prompt.claims import claim_controls
from backends.prompt.question import Answer, Question
from backends.prompt.regions import build_regions
from backends.prompt.settings import PromptSettings
from shared.backend import LabelConfig, ModelSpec, Passages
from shared.results import Dialogue, Omission, Region
from shared.results.validation import check_results

SPEC = ModelSpec("prompt", "model")
LABELS = '<Label value="Person" alias="PER" hint="by name"/><Label value="Company"/>'
NER = f'<Labels name="ner" toName="text">{LABELS}</Labels><Text name="text" value="$text"/>'
RELATIONS = '<Relations><Relation value="works at"/><Relation value="owns"/></Relations>'
TEXT = Passages.from_text("Ann works at Acme. 🙂 Bob owns Acme; Ann knows.")


def quote(text: str, label: str = "Person", occurrence: int = 1, **more: Any) -> dict[str, Any]:
    return {"quote": text, "occurrence": occurrence, "label": label, **more}


def build(
    xml: str,
    values: Mapping[str, Any],
    source: Passages = TEXT,
    scores: Mapping[str, float] | None = None,
) -> tuple[list[Region], list[tuple[str, str]]]:
    """Return the regions, which Label Studio takes, and rule and message of each omission."""
    config = LabelConfig.parse(f"<View>{xml}</View>")
    [claim] = claim_controls(config, SPEC, PromptSettings(model="model"))
    sources = dict.fromkeys(config.objects, source)
    question = Question("", build_schema(claim.controls, config, sources), (), sources=sources)
    found = list(build_regions(Answer(question, values, scores or {}), claim, config))
    regions = [one for one in found if isinstance(one, Region)]
    assert check_results(config, [result for one in regions for result in one.results]) == []
    return regions, [(one.rule, one.message) for one in found if isinstance(one, Omission)]


def values_of(region: Region) -> dict[str, Any]:
    return {result["from_name"]: result["value"] for result in region.results}


# What is asked


def test_the_schema_of_quotes() -> None:
    config = LabelConfig.parse(f"<View>{NER}</View>")
    schema = build_schema(config.controls, config)
    item = schema["properties"]["ner"]["items"]
    assert item["required"] == ["quote", "occurrence", "label"]
    assert item["additionalProperties"] is False
    assert item["properties"]["label"] == {
        "type": "string",
        "enum": ["Person", "Company"],
        "description": "Person: by name",
    }
    assert check_answer(schema, {"ner": [quote("Ann")]}) == []
    [problem] = check_answer(schema, {"ner": [quote("Ann", "PER")]})
    assert problem.startswith("/ner/0/label")


def test_the_schema_with_several_labels_relations_and_values() -> None:
    xml = (
        f'{RELATIONS}<Labels name="ner" toName="text" choice="multiple">{LABELS}</Labels>'
        '<Rating name="sure" toName="text" perRegion="true" required="true" maxRating="3"/>'
        '<TextArea name="why" toName="text" perRegion="true" whenTagName="ner"'
        ' whenLabelValue="PER"/>'
        '<Text name="text" value="$text"/>'
    )
    config = LabelConfig.parse(f"<View>{xml}</View>")
    properties = build_schema(config.controls, config)["properties"]
    item = properties["ner"]["items"]["properties"]
    assert list(item) == ["id", "quote", "occurrence", "labels", "values"]
    assert item["labels"]["minItems"] == 1
    assert item["values"]["properties"] == {
        "sure": {"type": "integer", "enum": [1, 2, 3]},
        "why": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    assert properties["relations"]["items"]["properties"]["label"]["enum"] == ["works at", "owns"]
    assert list(properties) == ["ner", "relations"]


@pytest.mark.parametrize(
    ("xml", "asked"),
    [
        (NER, ["ner"]),
        (NER.replace("Labels", "HyperTextLabels").replace("<Text", "<HyperText"), ["ner"]),
        (NER.replace("<Text", "<HyperText"), ["ner"]),
        (NER.replace("Labels", "ParagraphLabels").replace("<Text", "<Paragraphs"), ["ner"]),
        (NER.replace("<Text", "<Paragraphs"), ["ner"]),
        (NER.replace("<Text", "<Audio"), []),
        ('<Labels name="ner" toName="text"/><Text name="text" value="$text"/>', []),
        ('<TextArea name="c" toName="text" perRegion="true"/><Text name="text" value="$t"/>', []),
    ],
    ids=[
        "Text",
        "HyperText",
        "Labels on HyperText",
        "Paragraphs",
        "Labels on Paragraphs",
        "Audio",
        "no labels",
        "no spans",
    ],
)
def test_what_is_claimed(xml: str, asked: list[str]) -> None:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    claims = claim_controls(config, SPEC, PromptSettings(model="model"))
    assert [control.name for claim in claims for control in claim.controls] == asked


# Where it is drawn


def test_quotes_of_a_text() -> None:
    regions, omissions = build(
        NER,
        {
            "ner": [
                quote("Acme", "Company", 2),
                quote("ann", "PERSON"),
                quote("Carl"),
                quote("Bob", "Dog"),
            ]
        },
        scores={"/ner/0": 0.75},
    )
    assert [values_of(one)["ner"] for one in regions] == [
        {"start": 30, "end": 34, "text": "Acme", "labels": ["Company"]},
        {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]},
    ]
    assert [one.score for one in regions] == [0.75, None]
    assert omissions == [
        ("quote_not_found", 'Labels "ner": no place for "Carl": the text does not have it'),
        (
            "answer",
            'Labels "ner": the model\'s answer at /ner/3/label: "Dog" is none of "PER", "Company"',
        ),
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("Ann", '/ner/0: "Ann" is no object'),
        ({"label": "Person"}, "/ner/0/quote: is missing"),
        ({"quote": 5, "label": "Person"}, "/ner/0/quote: 5 is no string"),
        (quote("Ann", occurrence=0), "/ner/0/occurrence: 0 is less than 1"),
        ({"quote": "Ann"}, "/ner/0/label: is missing"),
    ],
    ids=["a text", "no quote", "a number", "occurrence 0", "no label"],
)
def test_a_wrong_item_costs_itself(item: Any, message: str) -> None:
    """Models without schemas answer so; an occurrence may be left out."""
    good = {"quote": "Bob", "label": "Person"}
    regions, [(rule, found)] = build(NER, {"ner": [item, good]})
    assert [values_of(one)["ner"]["text"] for one in regions] == ["Bob"]
    assert (rule, found) == ("answer", f'Labels "ner": the model\'s answer at {message}')


def test_the_same_span_is_drawn_once_and_with_another_label_again() -> None:
    items = [quote("Acme", "Company"), quote("acme", "Company"), quote("Acme", "Person")]
    regions, _ = build(NER, {"ner": items})
    assert [values_of(one)["ner"]["labels"] for one in regions] == [["Company"], ["PER"]]


def test_several_labels_of_one_span() -> None:
    xml = NER.replace('name="ner"', 'name="ner" choice="multiple"')
    item = {"quote": "Ann", "occurrence": 2, "labels": ["Company", "Person"]}
    scores = {"/ner/0/labels/0": 0.9, "/ner/0/labels/1": 0.6, "/ner/0/occurrence": 0.1}
    [region], _ = build(xml, {"ner": [item]}, scores=scores)
    assert values_of(region)["ner"]["labels"] == ["Company", "PER"]
    assert region.score == 0.6
    assert values_of(region)["ner"]["start"] == 36


def test_quotes_of_a_document_and_of_a_dialogue() -> None:
    html = Passages.from_html("<p>Ann &amp; <b>Bob</b> 👍 met</p><p>Acme</p>")
    xml = NER.replace("Labels", "HyperTextLabels").replace("<Text", "<HyperText")
    [region], _ = build(xml, {"ner": [quote("Ann & Bob 👍")]}, html)
    value = values_of(region)["ner"]
    assert (value["start"], value["startOffset"]) == ("/p[1]/text()[1]", 0)
    assert (value["end"], value["endOffset"]) == ("/p[1]/text()[2]", 3)
    assert value["globalOffsets"] == {"start": 0, "end": 11}
    talk = Passages.from_dialogue(Dialogue(("Hi 👍 Ann", "Hi"), ("Bob", "Ann")))
    xml = NER.replace("Labels", "ParagraphLabels").replace("<Text", "<Paragraphs")
    [region], _ = build(xml, {"ner": [quote("Ann")]}, talk)
    value = values_of(region)["ner"]
    assert (value["start"], value["startOffset"], value["endOffset"]) == ("0", 6, 9)


# What is said of each


PER_REGION = (
    '<Choices name="mood" toName="text" perRegion="true"><Choice value="good"/>'
    '<Choice value="bad"/></Choices><TextArea name="note" toName="text" perRegion="true"'
    ' whenTagName="ner" whenLabelValue="Company"/>'
    '<Rating name="sure" toName="text" perRegion="true"/>'
    '<TextArea name="why" toName="text" perRegion="true" visibleWhen="choice-selected"'
    ' whenTagName="mood" whenChoiceValue="bad"/>'
)


def test_values_of_spans_have_the_spans_id_and_place() -> None:
    said = {"mood": "bad", "note": "big", "sure": 4, "why": "late"}
    regions, omissions = build(
        NER + PER_REGION,
        {
            "ner": [
                quote("Acme", "Company", values=said),
                quote("Ann", values=said | {"mood": "good"}),
            ]
        },
    )
    assert omissions == []
    place = {"start": 13, "end": 17}
    assert values_of(regions[0]) == {
        "ner": {**place, "text": "Acme", "labels": ["Company"]},
        "mood": {**place, "text": "Acme", "choices": ["bad"]},
        "note": {**place, "text": ["big"]},
        "sure": {**place, "text": "Acme", "rating": 4},
        "why": {**place, "text": ["late"]},
    }
    assert {result["id"] for result in regions[0].results} == {regions[0].id}
    # Of a person no note is shown, and a reason only where the mood is bad.
    assert list(values_of(regions[1])) == ["ner", "mood", "sure"]


def test_a_wrong_value_costs_itself_not_its_span() -> None:
    said = {"mood": "angry", "note": None, "sure": 4, "why": None}
    [region], [(rule, message)] = build(NER + PER_REGION, {"ner": [quote("Ann", values=said)]})
    assert list(values_of(region)) == ["ner", "sure"]
    assert rule == "answer"
    assert "/ner/0/values/mood" in message


# Relations


def test_relations_name_their_ends_by_id() -> None:
    items = [quote("Ann", id=7), quote("Bob", id=2), quote("Acme", "Company", 2, id=5)]
    related = [
        {"from": 7, "to": 5, "label": "works at"},
        {"from": 2, "to": 5, "label": "owns"},
        {"from": 2, "to": 5, "label": "works at"},
        {"from": 2, "to": 9, "label": "owns"},
        {"from": 2, "to": 2, "label": "owns"},
    ]
    regions, omissions = build(RELATIONS + NER, {"ner": items, "relations": related})
    ann, bob, acme, *lines = regions
    assert [line.results for line in lines] == [
        (
            {
                "from_id": start.id,
                "to_id": acme.id,
                "type": "relation",
                "direction": "right",
                "labels": labels,
            },
        )
        for start, labels in ((ann, ["works at"]), (bob, ["owns", "works at"]))
    ]
    assert [rule for rule, _ in omissions] == ["relation_end_not_found"] * 2
    assert "owns from 2 to 9" in omissions[0][1]


@pytest.mark.parametrize(
    ("related", "message"),
    [
        ([{"from": 1, "to": 2, "label": "likes"}], '"likes" is none of "works at", "owns"'),
        ([["Ann", "Acme"]], "is no object"),
        ([{"from": 1, "label": "owns"}], "/relations/0/to: is missing"),
    ],
    ids=["another label", "a list", "no end"],
)
def test_a_wrong_relation_costs_itself(related: Any, message: str) -> None:
    items = [quote("Ann", id=1), quote("Acme", "Company", id=2)]
    regions, omissions = build(RELATIONS + NER, {"ner": items, "relations": related})
    assert len(regions) == 2
    [(rule, found)] = omissions
    assert rule == "answer"
    assert message in found


def test_a_control_tag_called_relations_keeps_its_name() -> None:
    xml = RELATIONS + NER.replace('name="ner"', 'name="relations"')
    items = [quote("Ann", id=1), quote("Acme", "Company", id=2)]
    values = {"relations": items, "relations_": [{"from": 1, "to": 2, "label": "works at"}]}
    regions, omissions = build(xml, values)
    assert [region.results[0]["type"] for region in regions] == ["labels", "labels", "relation"]
    assert omissions == []


# Anything at all

scalars = (
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["Ann", "Person", "x", ""])
)
keys = ("id", "quote", "occurrence", "label", "labels", "values", "from", "to", "mood", "sure")
anything = st.recursive(
    scalars,
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(keys), inside, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=60)
@given(anything, anything)
def test_whatever_a_model_answers_costs_itself(spans: Any, related: Any) -> None:
    """Of a model that sees no schema; what is drawn is valid, and the good quote is drawn."""
    items = [quote("Bob", id=1), *(spans if isinstance(spans, list) else [spans])]
    regions, omissions = build(RELATIONS + NER + PER_REGION, {"ner": items, "relations": related})
    assert "Bob" in [values_of(one)["ner"]["text"] for one in regions if "value" in one.results[0]]
    assert all(message.count("model's answer") <= 1 for _, message in omissions)


@pytest.mark.parametrize("value", [5, "Ann", {"quote": "Ann", "label": "Person"}, True])
def test_what_is_no_list_is_named(value: Any) -> None:
    regions, [(rule, message)] = build(NER, {"ner": value})
    assert regions == []
    assert rule == "answer"
    assert message.startswith('Labels "ner": the model\'s answer at /ner: ')
    assert message.endswith("is no array")
