import copy
from typing import Any

import pytest

from .compare import differences

BOX: dict[str, Any] = {
    "id": "a",
    "from_name": "label",
    "to_name": "image",
    "type": "rectanglelabels",
    "original_width": 600,
    "value": {"x": 10.0, "width": 20, "rectanglelabels": ["Car"]},
}
RELATION = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The box with the key at a dotted path set, or removed where the value is `...`."""
    result: dict[str, Any] = copy.deepcopy(BOX)
    *outer, last = path.split(".")
    place = result
    for name in outer:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(BOX, BOX, id="the same"),
        pytest.param(BOX, changed("value.x", 10.0009), id="within the tolerance"),
        pytest.param(BOX, changed("value.width", 20.0), id="an int as a float"),
        pytest.param(BOX, changed("origin", "prediction"), id="origin added"),
        pytest.param(changed("value.score", 0.7), BOX, id="score in value dropped"),
        pytest.param(changed("hidden", True), BOX, id="hidden dropped"),
        pytest.param(RELATION, RELATION, id="a relation"),
    ],
)
def test_no_difference(sent: dict[str, Any], shown: dict[str, Any]) -> None:
    assert differences([sent], [shown]) == []


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        pytest.param(changed("value.x", 10.002), "value.x was 10.0, is 10.002", id="moved"),
        pytest.param(changed("value.x", "10"), "value.x was 10.0, is '10'", id="a string"),
        pytest.param(changed("value.width", True), "value.width was 20, is True", id="a bool"),
        pytest.param(
            changed("value.x", float("nan")), "value.x was 10.0, is nan", id="not a number"
        ),
        pytest.param(
            changed("value.rectanglelabels", ["Bus"]),
            "value.rectanglelabels[0] was 'Car', is 'Bus'",
            id="another label",
        ),
        pytest.param(
            changed("value.rectanglelabels", []),
            "value.rectanglelabels was ['Car'], is []",
            id="no label",
        ),
        pytest.param(
            changed("value.rectanglelabels", ...),
            "value.rectanglelabels was ['Car'], is gone",
            id="a key gone",
        ),
        pytest.param(changed("value.y", 1), "value.y was not sent, is 1", id="a key more"),
        pytest.param(
            changed("original_width", 864), "original_width was 600, is 864", id="another image"
        ),
    ],
)
def test_a_changed_value(shown: dict[str, Any], line: str) -> None:
    assert differences([BOX], [shown]) == [f"a label rectanglelabels: {line}"]


def test_missing_and_unexpected_results() -> None:
    other = changed("from_name", "bbox")
    assert differences([BOX, RELATION], [other]) == [
        "a label rectanglelabels: not displayed",
        "relation a b: not displayed",
        "a bbox rectanglelabels: displayed, but never sent",
    ]


def test_results_of_one_region_are_told_apart() -> None:
    box, text = changed("type", "rectangle"), changed("type", "textarea")
    assert differences([box, text], [text, box]) == []


def test_a_result_sent_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="a label rectanglelabels is there twice"):
        differences([BOX, BOX], [BOX])
