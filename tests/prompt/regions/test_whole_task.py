"""What a model said of a whole task becomes results; what is wrong is named and costs itself."""

from typing import Any

import pytest

from backends.prompt.answer_schema import build_schema, check_answer
from backends.prompt.content import SentPicture, SentPictures
from backends.prompt.question import Answer, Question
from backends.prompt.regions import build_regions
from shared.backend import Claim, LabelConfig, ModelSpec
from shared.media.image_size import ImageSize
from shared.results import Omission, Region
from shared.results.validation import check_results

SPEC = ModelSpec("prompt", "model")
ITEMS = {"list": ("1", "2", "3")}


def config_of(*inside: str) -> LabelConfig:
    objects = '<Text name="text" value="$text"/><Text name="b" value="$b"/>'
    listed = '<List name="list" value="$items"/>'
    return LabelConfig.parse(f"<View>{objects}{listed}{''.join(inside)}</View>")


def regions_of(
    config: LabelConfig, values: dict[str, Any], scores: dict[str, float] | None = None
) -> tuple[list[Region], list[str]]:
    """The regions of an answer, and the messages about the rest; each region is displayed."""
    claim = Claim(config.controls, config.objects["text"], SPEC)
    schema = build_schema(config.controls, config, ITEMS)
    question = Question("", schema, (), sources=ITEMS)
    found = list(build_regions(Answer(question, values, scores or {}), claim, config))
    regions = [one for one in found if isinstance(one, Region)]
    results = [result for region in regions for result in region.results]
    assert check_results(config, results) == []
    return regions, [one.message for one in found if isinstance(one, Omission)]


def tag(name: str, more: str = "", inside: str = "", to: str = "text") -> str:
    return f'<{name} name="c" toName="{to}" {more}>{inside}</{name}>'


def choices(*names: str) -> str:
    return "".join(f'<Choice value="{name}"/>' for name in names)


NESTED = (
    '<Choice value="Animal"><Choice value="Dog" alias="d"/><Choice value="Cat"/></Choice>'
    '<Choice value="Plant"/>'
)
PATHS = [["Animal", "d"], ["Plant"]]


@pytest.mark.parametrize(
    ("xml", "value", "expected"),
    [
        pytest.param(tag("Choices", "", choices("A", "B")), "A", {"choices": ["A"]}, id="choice"),
        pytest.param(
            tag("Choices", "", '<Choice value="Good" alias="g"/>'),
            "Good",
            {"choices": ["g"]},
            id="a value with an alias",
        ),
        pytest.param(
            tag("Choices", "", '<Choice value="Good" alias="g"/>'),
            "g",
            {"choices": ["g"]},
            id="the alias itself",
        ),
        pytest.param(
            tag("Choices", "", choices("Yes", "No")), ["yes "], {"choices": ["Yes"]}, id="as a list"
        ),
        pytest.param(
            tag("Choices", 'choice="multiple"', choices("A", "B", "C")),
            ["C", "A", "C"],
            {"choices": ["C", "A"]},
            id="several choices, each once",
        ),
        pytest.param(
            tag("Choices", 'allowNested="true"', NESTED),
            "Animal > Dog",
            {"choices": [["Animal", "d"]]},
            id="nested choice",
        ),
        pytest.param(
            tag("Taxonomy", "", NESTED), ["Animal > Dog", "Plant"], {"taxonomy": PATHS}, id="paths"
        ),
        pytest.param(
            tag("Taxonomy", 'maxUsages="1"', NESTED),
            "Animal",
            {"taxonomy": [["Animal"]]},
            id="one path",
        ),
        pytest.param(tag("Rating"), 3, {"rating": 3}, id="rating"),
        pytest.param(tag("Rating", 'maxRating="10"'), 10, {"rating": 10}, id="rating of ten"),
        pytest.param(tag("Number", 'min="0" max="1"'), 0.25, {"number": 0.25}, id="number"),
        pytest.param(
            tag("DateTime", 'only="date" format="%d.%m.%Y"'),
            "2024-05-03",
            {"datetime": "03.05.2024"},
            id="date in the tag's format",
        ),
        pytest.param(
            tag("DateTime"), "2024-05-03T10:30", {"datetime": "2024-05-03T10:30"}, id="date, time"
        ),
        pytest.param(tag("DateTime", 'only="time"'), "10:30", {"datetime": "10:30"}, id="time"),
        pytest.param(tag("DateTime", 'only="year"'), "1999", {"datetime": "1999"}, id="year"),
        pytest.param(tag("TextArea"), " Fine. ", {"text": ["Fine."]}, id="text"),
        pytest.param(
            tag("TextArea", 'maxSubmissions="3"'), ["a", "", "b"], {"text": ["a", "b"]}, id="texts"
        ),
        pytest.param(tag("Pairwise", to="text,b"), "right", {"selected": "right"}, id="pairwise"),
        pytest.param(
            tag("Ranker", to="list"),
            ["3", 1],
            {"ranker": {"c": ["3", "1", "2"]}},
            id="order: what is left out comes last",
        ),
        pytest.param(
            tag("Ranker", "", '<Bucket name="good"/><Bucket name="bad"/>', "list"),
            {"good": ["2"], "bad": ["3", "2"]},
            {"ranker": {"good": ["2"], "bad": ["3"]}},
            id="buckets: each item once, the rest is shown as unranked",
        ),
        pytest.param(
            tag("Ranker", "", '<Bucket name="good"/><Bucket name="bad" default="true"/>', "list"),
            {"good": ["2"], "bad": []},
            {"ranker": {"good": ["2"], "bad": ["1", "3"]}},
            id="buckets: the rest is in the default one",
        ),
    ],
)
def test_values(xml: str, value: Any, expected: dict[str, Any]) -> None:
    [region], messages = regions_of(config_of(xml), {"c": value})
    assert messages == []
    assert region.results[0]["value"] == expected


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        pytest.param(tag("Choices", "", choices("A", "B")), None, id="null"),
        pytest.param(tag("Choices", 'choice="multiple"', choices("A")), [], id="no choice"),
        pytest.param(tag("TextArea"), "  ", id="blank text"),
        pytest.param(tag("Ranker", to="list"), [], id="no order"),
    ],
)
def test_nothing_said_is_no_region(xml: str, value: Any) -> None:
    assert regions_of(config_of(xml), {"c": value}) == ([], [])


@pytest.mark.parametrize(
    ("xml", "value", "left", "message"),
    [
        pytest.param(
            tag("Choices", "", choices("A", "B")),
            "Zebra",
            None,
            'Choices "c": the model\'s answer at /c: "Zebra" is none of "A", "B"',
            id="label of its own",
        ),
        pytest.param(
            tag("Choices", 'choice="multiple"', choices("A", "B")),
            ["A", "Zebra"],
            {"choices": ["A"]},
            'Choices "c": the model\'s answer at /c/1: "Zebra" is none of "A", "B"',
            id="one of several labels",
        ),
        pytest.param(
            tag("Taxonomy", 'maxUsages="2"', choices("A", "B", "C")),
            ["A", "B", "C"],
            {"taxonomy": [["A"], ["B"]]},
            'Taxonomy "c": the model\'s answer at /c/2: one more than 2',
            id="more than the tag takes",
        ),
        pytest.param(
            tag("Rating"),
            7,
            None,
            'Rating "c": the model\'s answer at /c: 7 is none of 1, 2, 3, 4, 5',
            id="too many stars",
        ),
        pytest.param(
            tag("Rating"),
            "five",
            None,
            'Rating "c": the model\'s answer at /c: "five" is no integer',
            id="stars in words",
        ),
        pytest.param(
            tag("Number", 'max="1"'),
            1.5,
            None,
            'Number "c": the model\'s answer at /c: 1.5 is more than 1',
            id="number out of range",
        ),
        pytest.param(
            tag("Number"),
            True,
            None,
            'Number "c": the model\'s answer at /c: true is no number',
            id="yes is no number",
        ),
        pytest.param(
            tag("DateTime", 'only="date"'),
            "2024-02-30",
            None,
            'DateTime "c": the model\'s answer at /c: there is no "2024-02-30"',
            id="a day that is none",
        ),
        pytest.param(
            tag("TextArea"),
            {"text": "a"},
            None,
            'TextArea "c": the model\'s answer at /c: {"text": "a"} is no string',
            id="object for a text",
        ),
        pytest.param(
            tag("Ranker", to="list"),
            ["3", "4", "2", "1"],
            {"ranker": {"c": ["3", "2", "1"]}},
            'Ranker "c": the model\'s answer at /c/c/1: there is no item "4"',
            id="item that is not listed",
        ),
        pytest.param(
            tag("Ranker", "", '<Bucket name="good"/>', "list"),
            ["1"],
            None,
            'Ranker "c": the model\'s answer at /c: ["1"] is no object of buckets',
            id="order where buckets are",
        ),
    ],
)
def test_what_is_wrong_is_named_and_costs_itself(
    xml: str, value: Any, left: dict[str, Any] | None, message: str
) -> None:
    regions, messages = regions_of(config_of(xml), {"c": value})
    assert messages == [message]
    assert [region.results[0]["value"] for region in regions] == ([left] if left else [])


def test_a_wrong_value_costs_no_other() -> None:
    config = config_of(
        '<Rating name="stars" toName="text"/>', '<TextArea name="why" toName="text"/>'
    )
    regions, messages = regions_of(config, {"stars": 9, "why": "Good."})
    assert [region.results[0]["from_name"] for region in regions] == ["why"]
    assert len(messages) == 1


def test_what_was_not_asked_for_is_no_region() -> None:
    assert regions_of(config_of(tag("Rating")), {"other": "x", "c": 2})[0][0].score is None


def test_scores_are_those_of_the_answer() -> None:
    config = config_of(
        tag("Choices", 'choice="multiple"', choices("A", "B", "C")),
        '<Rating name="stars/of it" toName="text"/>',
        '<TextArea name="why" toName="text"/>',
    )
    regions, _ = regions_of(
        config,
        {"c": ["A", "Zebra", "C"], "stars/of it": 4, "why": "Good."},
        {"/c/0": 0.9, "/c/1": 0.1, "/c/2": 0.6, "/stars~1of it": 0.75},
    )
    assert [region.score for region in regions] == [0.6, 0.75, None]


LEVELS = (
    '<Choices name="mood" toName="text"><Choice value="Good" alias="g"/><Choice value="Bad"/>'
    "</Choices>",
    '<View visibleWhen="choice-selected" whenTagName="mood" whenChoiceValue="{}">'
    '<TextArea name="why" toName="text"/></View>',
    '<TextArea name="other" toName="text" visibleWhen="choice-unselected" whenTagName="mood"'
    ' whenChoiceValue="Bad"/>',
)


@pytest.mark.parametrize(
    ("wanted", "mood", "shown"),
    [
        pytest.param("Bad", "Bad", ["mood", "why"], id="chosen"),
        pytest.param("Bad", "Good", ["mood", "other"], id="another is chosen"),
        pytest.param("Good,Bad", "Bad", ["mood", "why"], id="one of two"),
        pytest.param("g", "Good", ["mood", "why", "other"], id="by alias"),
        pytest.param("Good", "Good", ["mood", "why", "other"], id="by value"),
        pytest.param("Good", None, ["other"], id="nothing is chosen"),
        pytest.param("Good", "Zebra", ["other"], id="what is chosen is no choice"),
    ],
)
def test_conditions_of_the_editor_are_obeyed(
    wanted: str, mood: str | None, shown: list[str]
) -> None:
    config = config_of(LEVELS[0], LEVELS[1].format(wanted), LEVELS[2])
    regions, _ = regions_of(config, {"mood": mood, "why": "x", "other": "y"})
    assert [region.results[0]["from_name"] for region in regions] == shown


def test_what_depends_on_a_hidden_tag_is_hidden() -> None:
    config = config_of(
        LEVELS[0],
        '<Choices name="more" toName="text" visibleWhen="choice-selected" whenTagName="mood"'
        ' whenChoiceValue="Bad"><Choice value="Very"/></Choices>',
        '<TextArea name="why" toName="text" visibleWhen="choice-selected" whenTagName="more"/>',
    )
    regions, _ = regions_of(config, {"mood": "Good", "more": "Very", "why": "x"})
    assert [region.results[0]["from_name"] for region in regions] == ["mood"]


def test_what_depends_on_a_tag_that_others_fill_is_shown() -> None:
    config = config_of(
        '<TextArea name="why" toName="text" visibleWhen="choice-selected" whenTagName="mood"/>'
    )
    assert len(regions_of(config, {"why": "x"})[0]) == 1


PICTURES = [SentPicture(index, ImageSize(8, 6), ImageSize(8, 6)) for index in (0, 1, 2)]


def test_pictures_of_a_list_have_a_value_each() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" valueList="$pages"/><Choices name="c" toName="i" perItem="true">'
        f'{choices("A", "B")}</Choices><Rating name="r" toName="i"/></View>'
    )
    sources = {"i": SentPictures(tuple(PICTURES))}
    schema = build_schema(config.controls, config, sources)
    said = [
        {"picture": 3, "value": "B"},
        {"picture": 1, "value": "A"},
        {"picture": 2, "value": "Z"},
        {"picture": 4, "value": "A"},
    ]
    values = {"c": said, "r": 2}
    assert len(check_answer(schema, values)) == 2
    claim = Claim(config.controls, config.objects["i"], SPEC)
    answer = Answer(Question("", schema, (), sources=sources), values, {"/c/0/value": 0.9})
    found = list(build_regions(answer, claim, config))
    results = [one.results[0] for one in found if isinstance(one, Region)]
    assert [(r["value"], r.get("item_index"), r.get("score")) for r in results] == [
        ({"choices": ["B"]}, 2, 0.9),
        ({"choices": ["A"]}, 0, None),
        ({"rating": 2}, None, None),
    ]
    assert [one.message for one in found if isinstance(one, Omission)] == [
        'Choices "c": the model\'s answer at /c/2/value: "Z" is none of "A", "B"',
        'Choices "c": the model\'s answer at /c/3: {"picture": 4, "value": "A"} is about none of 3'
        " pictures",
    ]


def test_one_picture_has_the_index_that_the_editor_wants() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$page"/><Rating name="r" toName="i" perItem="true"/></View>'
    )
    sent = SentPicture(None, ImageSize(8, 6), ImageSize(8, 6))
    question = Question("", {}, (), sources={"i": SentPictures((sent,))})
    claim = Claim(config.controls, config.objects["i"], SPEC)
    [found] = build_regions(Answer(question, {"r": 4}), claim, config)
    assert isinstance(found, Region)
    assert found.results[0]["item_index"] == 0
