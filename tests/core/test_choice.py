"""The scores of classes as the answer of Choices and Taxonomy."""

import pytest

from shared.choice import answer
from shared.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_config import LabelConfig


def claim_of(control: str, **options: float) -> Claim:
    config = LabelConfig.parse(f'<View><Text name="text" value="$text"/>{control}</View>')
    [(tag, target)] = config.pairs()
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
    found = answer({"good": 0.6, "bad": 0.4}, claim, one=True)
    assert (found is not None) == chosen


def test_threshold_that_is_none_is_said() -> None:
    with pytest.raises(ConfigError, match='model_score_threshold="high" should be a number'):
        answer({"good": 0.6}, choices('model_score_threshold="high"'), one=True)
