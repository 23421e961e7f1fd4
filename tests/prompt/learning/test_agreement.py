"""Agreement of answers with what annotators said."""

from typing import Any

import pytest

from backends.prompt.learning.agreement import measure_agreement
from shared.label_studio.label_config import Control


def span(quote: str, label: str, occurrence: int = 1) -> dict[str, Any]:
    return {"quote": quote, "occurrence": occurrence, "label": label}


@pytest.mark.parametrize(
    ("tag", "answer", "truth", "expected"),
    [
        pytest.param("Choices", "Good", "Good", 1, id="right"),
        pytest.param("Choices", "Not relevant", "Relevant", 0, id="alike but wrong"),
        pytest.param("Choices", None, "Good", 0, id="no answer"),
        # two of three given are right, two of two are found: F1 = 2·2 / (3 + 2)
        pytest.param("Choices", ["A", "B", "C"], ["B", "A"], 0.8, id="several"),
        pytest.param("Choices", [], [], 1, id="nothing, rightly"),
        pytest.param("Choices", None, [], 1, id="null for nothing"),
        pytest.param("Rating", 4, 4, 1, id="rating"),
        pytest.param("Rating", 5, 4, 0, id="another rating"),
        # "abcd" and "abxd" share a, b and d: 2·3 / (4 + 4)
        pytest.param("TextArea", "abxd", "abcd", 0.75, id="text"),
        pytest.param(
            "Labels",
            [span("Ann", "Person"), span("Rome", "Person")],
            [span("Ann", "Person"), span("Rome", "City")],
            0.5,
            id="spans",
        ),
    ],
)
def test_agreement(tag: str, answer: Any, truth: Any, expected: float) -> None:
    assert measure_agreement(Control(tag, "c", "t"), answer, truth) == pytest.approx(expected)
