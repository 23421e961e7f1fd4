import time

import pytest

from shared.claim import Claim, ModelSpec
from shared.label_config import Control, ObjectTag
from shared.label_map import Aliases, LabelMap, folded


def control(**labels: str | None) -> Control:
    """`car="auto"` is <Label value="car" predicted_values="auto"/>."""
    attrs = {
        name: {"value": name} | ({"predicted_values": values} if values else {})
        for name, values in labels.items()
    }
    return Control("Labels", "label", "text", attrs)


ALIASED = Control("Labels", "label", "text", {"c": {"value": "Car", "alias": "c"}})
PEOPLE: Aliases = {"PER": ["Person", "People"]}


@pytest.mark.parametrize(
    ("tag", "classes", "expected"),
    [
        pytest.param(control(car=None), ["car"], {"car": "car"}, id="exact"),
        pytest.param(control(Car=None), ["car"], {"car": "Car"}, id="folded-case"),
        pytest.param(
            control(**{"Traffic light": None}),
            ["traffic_light", "traffic-light", "TrafficLight"],
            dict.fromkeys(["traffic_light", "traffic-light", "TrafficLight"], "Traffic light"),
            id="folded-separators",
        ),
        pytest.param(
            control(car=None, Car=None), ["Car"], {"Car": "Car"}, id="exact-before-folded"
        ),
        pytest.param(control(Car=None, CAR=None), ["car"], {"car": "Car"}, id="first-of-folded"),
        pytest.param(
            control(Vehicle="car, bus"),
            ["car", "bus", "cat"],
            {"car": "Vehicle", "bus": "Vehicle"},
            id="predicted-values",
        ),
        pytest.param(
            control(Vehicle=" Car ,, "), ["car"], {"car": "Vehicle"}, id="predicted-folded"
        ),
        pytest.param(
            control(car=None, Vehicle="car"),
            ["car"],
            {"car": "Vehicle"},
            id="predicted-before-exact",
        ),
        pytest.param(
            control(car=None, Vehicle="CAR"), ["car"], {"car": "Vehicle"}, id="also-when-folded"
        ),
        pytest.param(ALIASED, ["Car", "c"], {"Car": "c", "c": "c"}, id="alias"),
        pytest.param(ALIASED, ["car", "C"], {"car": "c", "C": "c"}, id="alias-folded"),
        pytest.param(control(), ["car"], {}, id="no-labels"),
        pytest.param(control(car=None), [], {}, id="no-classes"),
        pytest.param(control(car=None), ["car", "car"], {"car": "car"}, id="class-twice"),
        pytest.param(control(Straße=None), ["STRASSE"], {"STRASSE": "Straße"}, id="casefold"),
    ],
)
def test_mapping(tag: Control, classes: list[str], expected: dict[str, str]) -> None:
    assert dict(LabelMap.build(tag, classes).to_label) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param(control(PER=None, Person=None), "PER", id="written-before-alias"),
        pytest.param(control(people=None), "people", id="second-alias-folded"),
        pytest.param(control(People=None, Person=None), "Person", id="order-of-the-aliases"),
        pytest.param(control(Human="person"), "Human", id="alias-in-predicted-values"),
        pytest.param(control(Cat=None), None, id="none"),
    ],
)
def test_common_other_names(tag: Control, expected: str | None) -> None:
    assert LabelMap.build(tag, ["PER"], PEOPLE).to_label.get("PER") == expected


def test_leftovers_and_report() -> None:
    found = LabelMap.build(control(Car=None, Boat=None, cat=None), ["car", "cat", "dog"])
    assert found.unused_classes == ("dog",)
    assert found.unfilled_labels == ("Boat",)
    assert found.report() == (
        'Labels "label": car → Car, cat; labels without a class: Boat; classes without a label: dog'
    )


def test_report_of_nothing_and_of_many() -> None:
    found = LabelMap.build(control(x=None), [f"class {number}" for number in range(80)])
    report = found.report()
    assert "no class of the model has a label" in report
    assert report.endswith("class 11 and 68 more")


def test_folded() -> None:
    assert folded(" Traffic_Light-A ") == "trafficlighta"


def test_claim_makes_each_map_once() -> None:
    target = ObjectTag("Text", "text", "text")
    claim = Claim((control(Car=None),), target, ModelSpec("b", "m"))
    first = claim.label_map(["car"])
    assert claim.label_map(["car"]) is first
    assert claim.label_map(["bus"]) is not first
    assert claim.reports()[0] == first.report()
    assert len(claim.reports()) == 2


def test_a_thousand_labels_take_no_time() -> None:
    many = control(**{f"Label {number}": None for number in range(1000)})
    start = time.perf_counter()
    found = LabelMap.build(many, [f"label_{number}" for number in range(1000)])
    assert len(found.to_label) == 1000
    assert time.perf_counter() - start < 0.5
