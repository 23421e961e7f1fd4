"""Scores of the tokens of an entity, where the label config asks for them."""

import numpy as np
import pytest

from backends._transformers.tokenizer import Tokens
from backends.ner.entities import Entity, score_tokens

from .conftest import Predict
from .test_objects import HTML, TALK, TEXT

TAGS = ["O", "B-PER", "I-PER", "B-LOC"]
ANGELA = "  Angela Berg left."
OFFSETS = [(0, 2), (2, 5), (5, 8), (8, 13), (13, 18), (18, 19)]
OUT = [1, 0, 0, 0]
CHANCES = np.array(
    [OUT, [0.1, 0.5, 0.2, 0.2], [0, 0.25, 0.75, 0], [0, 0, 0.6, 0.4], OUT, OUT], np.float32
)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param((2, 13), [("Ang", 0.7), ("ela", 1.0), ("Berg", 0.6)], id="tokens of words"),
        pytest.param((2, 5), [("Ang", 0.7)], id="a part of a word"),
        pytest.param((9, 13), [("Berg", 0.6)], id="a token with the space before it"),
    ],
)
def test_probabilities_of_a_type_add_up(
    span: tuple[int, int], expected: list[tuple[str, float]]
) -> None:
    tokens = Tokens.of(OFFSETS, [0, 0, 0, 1, 2, 3], list(range(6)))
    found = score_tokens(Entity(*span, "PER", 0.8), ANGELA, tokens, CHANCES, TAGS)
    assert [(one["text"], one["score"]) for one in found] == expected


@pytest.mark.parametrize(
    ("xml", "data"),
    [
        pytest.param(TEXT, {"t": "Angela Berg left."}, id="text"),
        pytest.param(HTML, {"h": "<p>It rained.</p><p><b>Angela</b> Berg left.</p>"}, id="html"),
        pytest.param(
            TALK.replace("ATTRS", ""),
            {"p": [{"who": "A", "says": "Angela Berg left."}]},
            id="paragraphs",
        ),
    ],
)
def test_token_scores_are_given_on_request(xml: str, data: object, predict: Predict) -> None:
    asked = xml.replace("toName", 'model_token_scores="true" toName', 1)
    [plain], [told] = predict(xml, data), predict(asked, data)
    [without], [region] = plain["result"], told["result"]
    assert "meta" not in without
    scores = region.pop("meta")["token_scores"]
    assert region == without
    assert "".join(one["text"] for one in scores) == "AngelaBerg"
    assert all(0.5 < one["score"] <= 1 for one in scores)
    assert plain["model_version"] != told["model_version"]
