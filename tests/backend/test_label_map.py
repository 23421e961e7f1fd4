import logging
import time
from dataclasses import replace

import pytest

from shared.backend import label_map
from shared.backend.claim import Claim, ModelSpec
from shared.backend.label_map import Aliases, LabelMap, fold_name
from shared.label_studio.label_config import Control, ObjectTag


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
    assert found.to_text() == (
        'Labels "label": car → Car, cat; labels without a class: Boat; classes without a label: dog'
    )


def test_report_of_nothing_and_of_many() -> None:
    found = LabelMap.build(control(x=None), [f"class {number}" for number in range(80)])
    report = found.to_text()
    assert "no class of the model has a label" in report
    assert report.endswith("class 11 and 68 more")


def test_folded() -> None:
    assert fold_name(" Traffic_Light-A ") == "trafficlighta"


def claim_of(*tags: Control) -> Claim:
    return Claim(tags, ObjectTag("Text", "text", "text"), ModelSpec("b", "m"))


def test_claim_keeps_one_map_for_each_control() -> None:
    claim = claim_of(control(Car=None, Bus=None))
    first = claim.label_map(["car"])
    assert claim.label_map(["car"]) is first
    grown = claim.label_map(["bus"])
    assert dict(grown.to_label) == {"car": "Car", "bus": "Bus"}
    assert claim.label_map(["car"]) is grown
    assert claim.mapping_report() == [grown.to_text()]
    assert claim.label_map(["car"], replace(claim.control, name="other")) is not grown
    assert len(claim.label_maps()) == 2


def test_answers_of_ever_other_classes_make_one_map(caplog: pytest.LogCaptureFixture) -> None:
    """Such as the five surest of a thousand classes."""
    caplog.set_level(logging.INFO)
    claim = claim_of(control(**{"class 0": None, "class 2": None, "none": None}))
    for number in range(0, 1000, 5):
        top = [f"class {number + place}" for place in (4, 2, 0, 1, 3)]
        found = claim.label_map(top)
        assert all((name in found.to_label) == (name in {"class 0", "class 2"}) for name in top)
        assert found.known_classes.issuperset(top)
    assert len(claim.label_maps()) == len(claim.mapping_report()) == 1
    assert claim.label_maps()[0].unfilled_labels == ("none",)
    assert len(claim.label_maps()[0].unused_classes) == 998
    assert len(caplog.messages) == 1


def test_a_label_that_a_later_answer_fills_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    claim = claim_of(control(Car=None, Bus=None))
    for classes in (["car"], ["lorry"], ["lorry", "bus"], ["BUS"], ["car", "tram"]):
        claim.label_map(classes)
    assert caplog.messages == [
        'b-m fills Labels "label": car → Car; labels without a class: Bus',
        'b-m also fills Labels "label": Bus',
    ]


def test_a_model_that_answers_in_free_text_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(label_map, "MAX_CLASSES", 100)
    claim = claim_of(control(Car=None))
    for number in range(1000):
        assert claim.label_map([f"a thing {number}", "car"]).to_label == {"car": "Car"}
        [found] = claim.label_maps()
        assert len(found.unused_classes) <= 100
    assert len(claim.label_map([str(number) for number in range(200)]).unused_classes) == 200


def test_a_thousand_labels_take_no_time() -> None:
    many = control(**{f"Label {number}": None for number in range(1000)})
    start = time.process_time()
    found = LabelMap.build(many, [f"label_{number}" for number in range(1000)])
    assert len(found.to_label) == 1000
    assert time.process_time() - start < 0.5
