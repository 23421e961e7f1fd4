"""The scores of classes as the answer of Choices and Taxonomy."""

import pytest

from shared.backend.choices import class_names, select_choices
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ConfigError, UnfillableError
from shared.label_studio.label_config import LabelConfig


def claim_of(control: str, **options: float) -> Claim:
    config = LabelConfig.parse(f'<View><Text name="text" value="$text"/>{control}</View>')
    [(tag, target)] = config.tag_pairs()
    return Claim((tag,), target, ModelSpec("b", "m"), options)


def choices(attributes: str = "", **options: float) -> Claim:
    tags = '<Choice value="Good"/><Choice value="Bad"/>'
    return claim_of(f'<Choices name="c" toName="text" {attributes}>{tags}</Choices>', **options)


@pytest.mark.parametrize(
    ("claim", "chosen"),
    [
        (choices(), True),
        (choices('model_score_threshold="0.7"'), False),
        (choices('model_score_threshold="0.5"'), True),
        (choices(score_threshold=0.7), False),
        (choices('model_score_threshold="0.9"', score_threshold=0.6), True),
    ],
    ids=["nothing", "too high", "low enough", "of the backend", "the backend's before the tag's"],
)
def test_threshold_of_a_backend_without_options(claim: Claim, chosen: bool) -> None:
    found = select_choices({"good": 0.6, "bad": 0.4}, claim, one=True)
    assert (found is not None) == chosen


def test_threshold_that_is_none_is_said() -> None:
    with pytest.raises(ConfigError, match='model_score_threshold="high" should be a number'):
        select_choices({"good": 0.6}, choices('model_score_threshold="high"'), one=True)


def tree(animal: str = "", machine: str = "", tag: str = "Taxonomy") -> Claim:
    """Two kinds of Jaguar."""
    nested = 'allowNested="true" choice="multiple"' if tag == "Choices" else ""
    return claim_of(
        f'<{tag} name="c" toName="text" {nested}>'
        f'<Choice value="Animal"><Choice value="Jaguar" {animal}/><Choice value="Cat"/></Choice>'
        f'<Choice value="Machine"><Choice value="Jaguar" {machine}/></Choice></{tag}>',
        score_threshold=0.5,
    )


TWO = '"jaguar" may be Animal/Jaguar or Machine/Jaguar: it goes to the one that has it in'


@pytest.mark.parametrize("tag", ["Taxonomy", "Choices"])
def test_a_choice_below_two_parents_is_not_guessed(
    tag: str, caplog: pytest.LogCaptureFixture
) -> None:
    claim = tree(tag=tag)
    with pytest.raises(UnfillableError, match=TWO):
        select_choices({"jaguar": 0.9}, claim, one=False)
    assert select_choices({"jaguar": 0.9, "cat": 0.8}, claim, one=False) == (
        [["Animal", "Cat"]],
        0.8,
    )
    [report] = claim.mapping_report()
    assert TWO in report
    assert [TWO in line for line in caplog.messages] == [True]
    assert "predicted_values" in report
    assert claim.label_maps()[0].unfilled_labels == (
        *("Animal", "Animal/Jaguar"),
        *("Machine", "Machine/Jaguar"),
    )


def test_a_doubt_that_a_later_answer_brings_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    claim = tree()
    for classes in ({"Cat": 0.9}, {"jaguar": 0.9}, {"Jaguar": 0.9}, {"JAGUAR": 0.9}):
        select_choices(classes, claim, one=False)
    assert [line for line in caplog.messages if "may be" in line] == [
        f'b-m fills Taxonomy "c": {claim.label_maps()[0].ambiguity_notes()[0]}'
    ]


ANIMAL, MACHINE = ["Animal", "Jaguar"], ["Machine", "Jaguar"]


@pytest.mark.parametrize(
    ("claim", "name", "path"),
    [
        (tree(), "Machine/Jaguar", MACHINE),
        (tree(), "animal / jaguar", ANIMAL),
        (tree(animal='predicted_values="puma, jaguar"'), "jaguar", ANIMAL),
        (tree(machine='predicted_values="jaguar"'), "Jaguar", MACHINE),
        (tree(animal='alias="onca"'), "onca", ["Animal", "onca"]),
        (tree(animal='alias="onca"'), "jaguar", MACHINE),
        (tree(animal='alias="onca"'), "Animal/Jaguar", ["Animal", "onca"]),
        (tree('alias="onca"', 'alias="car"'), "Machine/Jaguar", ["Machine", "car"]),
        (tree('alias="onca"', 'alias="car"'), "jaguar", None),
        (tree('predicted_values="j"', 'predicted_values="j"'), "j", None),
    ],
)
def test_what_tells_choices_of_one_name_apart(
    claim: Claim, name: str, path: list[str] | None
) -> None:
    if path is None:
        with pytest.raises(UnfillableError, match="predicted_values"):
            select_choices({name: 0.9}, claim, one=False)
    else:
        found = select_choices({name: 0.9}, claim, one=False)
        assert found is not None
        assert found.answer == [path]
    assert bool(claim.label_maps()[0].ambiguous) == (path is None)


def test_a_choice_goes_before_one_of_its_name_with_others_inside() -> None:
    claim = claim_of(
        '<Taxonomy name="c" toName="text"><Choice value="Cat"><Choice value="Cat"/>'
        '<Choice value="Lion"/></Choice></Taxonomy>'
    )
    found = select_choices({"cat": 0.9}, claim, one=False)
    assert found is not None
    assert found.answer == [["Cat", "Cat"]]
    assert claim.label_maps()[0].ambiguous == {}


def test_choices_of_one_name_are_asked_for_by_their_paths() -> None:
    assert class_names(tree().control) == ("Animal/Jaguar", "Cat", "Machine/Jaguar")
    aliased = tree('alias="onca"', 'alias="car"')
    assert class_names(aliased.control) == ("Animal/Jaguar", "Cat", "Machine/Jaguar")
    found = select_choices(dict.fromkeys(class_names(aliased.control), 0.9), aliased, one=False)
    assert found is not None
    assert found.answer == [["Animal", "Cat"], ["Machine", "car"], ["Animal", "onca"]]
