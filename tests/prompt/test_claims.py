"""Which control tags are asked for, and what is said of those that are left."""

import pytest

from backends.pattern import PatternBackend
from backends.prompt import PromptBackend
from backends.prompt.questions import group_controls
from backends.text_classification import TextClassificationBackend
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import reset_runtime, runtime
from tests.tiny import routed

TEXT = '<Text name="text" value="$text"/>'
IMAGE = '<Image name="image" value="$image"/>'
SPANS = '<Labels name="spans" toName="text"><Label value="Date"/></Labels>'
NOTE = '<TextArea name="note" toName="text" perRegion="true"/>'
MOOD = '<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>'
STARS = '<Rating name="stars" toName="image"/>'


def view(*inside: str) -> str:
    return f"<View>{''.join(inside)}</View>"


def planned(xml: str, *others: type[PatternBackend]) -> PredictionPlan:
    backends = [cls(label_config=xml, served=True) for cls in (*others, PromptBackend)]
    return routed(*backends, xml=xml)


@pytest.fixture
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_MODEL", "starter")


def test_nothing_is_asked_unless_a_model_is_set() -> None:
    plan = planned(view(TEXT, IMAGE, MOOD, STARS))
    assert plan.steps == ()
    assert plan.problems[0] == (
        'Choices "mood" and Rating "stars" could be filled by a language model: set PROMPT_MODEL'
        " to one"
    )


@pytest.mark.usefixtures("_model")
@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param([TEXT, IMAGE, MOOD, STARS], ["mood", "stars"], id="across object tags"),
        pytest.param([TEXT, SPANS, NOTE, MOOD], ["spans", "note", "mood"], id="with its regions"),
        pytest.param([TEXT, NOTE, MOOD], ["mood"], id="regions that nobody draws"),
        pytest.param(
            [IMAGE, STARS, '<BrushLabels name="b" toName="image"><Label value="A"/></BrushLabels>'],
            ["stars"],
            id="what words cannot place",
        ),
        pytest.param(
            [TEXT, MOOD.replace(" toName", ' model_skip="true" toName'), SPANS],
            ["spans"],
            id="model_skip",
        ),
        pytest.param(
            [TEXT, MOOD, '<Taxonomy name="t" toName="text" apiUrl="https://example.com/t"/>'],
            ["mood"],
            id="choices of an address",
        ),
        pytest.param(
            [
                TEXT,
                MOOD,
                '<Repeater on="$images" indexFlag="{{idx}}"><Image name="i_{{idx}}"'
                ' value="$images[{{idx}}]"/><Rating name="r_{{idx}}" toName="i_{{idx}}"/>'
                "</Repeater>",
            ],
            ["mood"],
            id="Repeater",
        ),
        pytest.param(
            [TEXT, '<Choices name="c" toName="text" value="$choices"/>'], ["c"], id="a task's own"
        ),
        pytest.param([TEXT, '<Rating name="r" toName="other"/>', MOOD], ["mood"], id="no object"),
    ],
)
def test_what_is_asked_for(inside: list[str], expected: list[str]) -> None:
    plan = planned(view(*inside))
    [step] = plan.steps
    [claim] = step.claims
    assert [control.name for control in claim.controls] == expected
    assert plan.filled_by() == dict.fromkeys(expected, "prompt")


@pytest.mark.usefixtures("_model")
def test_labels_on_two_texts_are_asked_for_on_each() -> None:
    other = '<Text name="b" value="$b"/>'
    plan = planned(view(TEXT, other, SPANS.replace('"text"', '"text,b"')))
    [claim] = plan.all_claims()
    assert [control.to_name for control in claim.controls] == ["text", "b"]


@pytest.mark.usefixtures("_model")
def test_others_come_first_unless_the_tag_says_otherwise() -> None:
    xml = view(TEXT, SPANS, NOTE, MOOD)
    assert planned(xml, PatternBackend).filled_by() == {
        "spans": "pattern",
        "note": "prompt",  # for regions of annotators
        "mood": "prompt",
    }
    named = xml.replace('name="spans"', 'name="spans" model_backend="prompt"')
    assert set(planned(named, PatternBackend).filled_by().values()) == {"prompt"}


@pytest.mark.usefixtures("_model")
def test_why_the_rest_is_left() -> None:
    xml = view(
        TEXT,
        IMAGE,
        NOTE,
        '<TextArea name="request" toName="text" model_prompt_input="true"/>',
        '<KeyPointLabels name="points" toName="image"><Label value="A"/></KeyPointLabels>',
        '<RectangleLabels name="boxes" toName="image"><Label value="A"/></RectangleLabels>',
        MOOD,
    )
    assert planned(xml).problems == (
        'KeyPointLabels "points" cannot be placed by what a language model says',
        'RectangleLabels "boxes" could be filled by a vision model that writes boxes: set'
        " PROMPT_BOX_FORMAT to how it writes them",
    )


def test_a_model_without_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_MODEL", "starter")
    monkeypatch.setenv("PROMPT_MODALITIES", "text")
    plan = planned(view(TEXT, IMAGE, MOOD, STARS))
    assert plan.filled_by() == {"mood": "prompt"}
    assert plan.problems == (
        'Rating "stars" cannot be asked for: Image "image" takes a model with image'
        " (PROMPT_MODALITIES)",
    )


@pytest.mark.parametrize(
    ("one_question", "own", "expected"),
    [
        (True, "", [["spans", "mood", "stars", "note"]]),
        (True, "mood", [["spans", "stars", "note"], ["mood"]]),
        (True, "spans", [["mood", "stars"], ["spans", "note"]]),
        (False, "", [["spans", "note"], ["mood"], ["stars"]]),
    ],
    ids=["one question", "one has its own", "its regions are with it", "each has its own"],
)
def test_questions(one_question: bool, own: str, expected: list[list[str]]) -> None:
    xml = view(TEXT, IMAGE, SPANS, MOOD, STARS, NOTE)
    if own:
        xml = xml.replace(f'name="{own}"', f'name="{own}" model_question="own"')
    groups = group_controls(LabelConfig.parse(xml).controls, one_question)
    assert [[control.name for control in group] for group in groups] == expected


def version(xml: str) -> str:
    return runtime().planner.plan(
        LabelConfig.parse(xml), [PromptBackend(label_config=xml, served=True)]
    ).version(wait=True)  # fmt: skip


@pytest.mark.usefixtures("_model")
def test_other_words_are_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    xml = view(TEXT, MOOD)
    versions = [
        version(xml),
        version(xml.replace("Good", "Great")),
        version(xml.replace('value="Bad"', 'value="Bad" hint="Angry words"')),
        version(xml.replace("<Choices", '<Header value="How is it?"/><Choices')),
    ]
    monkeypatch.setenv("PROMPT_INSTRUCTION", "Irony is bad.")
    reset_runtime()
    versions.append(version(xml))
    monkeypatch.setenv("PROMPT_SAMPLES", "3")
    reset_runtime()
    versions.append(version(xml))
    assert len(set(versions)) == len(versions)
    assert all(name.startswith("prompt-starter-") for name in versions)
    assert version(xml) == versions[-1]


@pytest.mark.usefixtures("_model")
def test_a_name_that_makes_a_tag_a_request_is_said() -> None:
    plan = planned(view(TEXT, MOOD, '<TextArea name="prompt" toName="text"/>'))
    assert plan.filled_by() == {"mood": "prompt"}
    assert plan.problems == (
        'TextArea "prompt" holds what the annotator asks for, by its name (PROMPT_PREFIX), and is'
        ' not filled: model_prompt_input="false" changes that, "true" says that it is meant so',
    )


@pytest.mark.usefixtures("_model")
def test_nobody_asks_for_another_model_of_what_is_filled() -> None:
    xml = view(TEXT, MOOD)
    backends = [
        cls(label_config=xml, served=True) for cls in (TextClassificationBackend, PromptBackend)
    ]
    plan = routed(*backends, xml=xml)
    assert plan.filled_by() == {"mood": "prompt"}
    assert plan.problems == ()


@pytest.mark.usefixtures("_model")
def test_an_answer_about_two_object_tags_is_one_about_both() -> None:
    xml = view(TEXT, IMAGE, '<Rating name="fit" toName="text,image"/>')
    plan = planned(xml)
    assert plan.filled_by() == {"fit": "prompt"}
    assert plan.problems == ()
