"""What most annotators agree on, by hand."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from shared.evaluation.annotators.consensus import find_consensus
from shared.results import ParsedRegion

from .annotations import CONFIG, annotation, answer, box, span

Annotations = Sequence[tuple[ParsedRegion, ...]]


def agreed(*annotations: tuple[ParsedRegion, ...]) -> list[str]:
    """Return the ids of what is agreed on; each annotation is a day newer than the last."""
    dated = [annotation(*regions, day=day) for day, regions in enumerate(annotations, 1)]
    return [region.id for region in find_consensus(CONFIG, dated)]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param([(box(0),), (box(0),), ()], ["Car0"], id="two of three have it"),
        pytest.param([(box(0),), ()], [], id="one of two is not more than half"),
        pytest.param([(box(0),), (box(0),), (), ()], [], id="two of four are not more than half"),
        # IoU of 0 and 2: 8/12; of 2 and 3: 9/11; of 0 and 3: 7/13. The middle one has the most.
        pytest.param([(box(0),), (box(2),), (box(3),)], ["Car2"], id="the medoid is kept"),
        # IoU of 0 and 4 is 6/14 < 0.5: nobody agrees.
        pytest.param([(box(0),), (box(4),)], [], id="too far apart"),
        pytest.param([(box(0),), (box(0, "Bus"),)], [], id="another label"),
        pytest.param(
            [(box(0),), (box(0, "Bus"),), (box(0, "Bus"),)], ["Bus0"], id="the label of most"
        ),
        # The second annotator drew the car twice: this is one car, not two.
        pytest.param([(box(0),), (box(0), box(1))], ["Car0"], id="each annotation counts once"),
        pytest.param(
            [(box(0), box(50)), (box(50), box(0)), (box(0),)], ["Car0", "Car50"], id="several"
        ),
        pytest.param([(), (), (box(0),)], [], id="most say that there is nothing"),
        # Characters 0-12 and 0-10: 10/12; 0-3 and the others: 3/12, 3/10.
        pytest.param(
            [(span(0, 3),), (span(0, 12),), (span(0, 10),)], ["Person0-12"], id="spans of text"
        ),
    ],
)
def test_places(annotations: Annotations, expected: list[str]) -> None:
    assert agreed(*annotations) == expected


@pytest.mark.parametrize(
    ("control", "answers", "expected"),
    [
        pytest.param("class", [["A"], ["B"], ["A"]], ["A"], id="class of most"),
        pytest.param("class", [["A"], ["B"]], ["B"], id="tie: the latest"),
        pytest.param("class", [["A"], ["B"], ["B"], ["A"], ["C"]], ["A"], id="tie: latest of it"),
        # Jaccard: {A}-{A,B} 1/2, {A}-{A,C} 1/2, {A,B}-{A,C} 2/3: {A} has 1, the others 7/6.
        pytest.param("classes", [["A", "B"], ["A", "C"], ["A"]], ["A"], id="several classes"),
        pytest.param("classes", [["B", "A"], ["C"], ["A", "B"]], ["A", "B"], id="order is nothing"),
        pytest.param("count", [1, 100, 3], 3, id="median"),
        pytest.param("count", [1, 2, 3, 100], 3, id="two middle numbers: the latest"),
        # Edits: cat-cart 1/4, cat-dog 3/3, cart-dog 4/4; both cat and cart have 1.25: the latest.
        pytest.param("summary", [["cat"], ["cart"], ["dog"]], ["cart"], id="text, tie"),
        # Edits: cats-cat 1/4, cats-cast 2/4, cat-cast 1/4: cat has 0.5, the others 0.75.
        pytest.param(
            "summary", [["cats"], ["cat"], ["cast"]], ["cat"], id="text closest to others"
        ),
    ],
)
def test_answers(control: str, answers: Sequence[object], expected: object) -> None:
    dated = [annotation(answer(control, one), day=day) for day, one in enumerate(answers, 1)]
    (region,) = find_consensus(CONFIG, dated)
    assert list(region.values.values()) == [expected]


def test_question_that_half_leave_open_stays_open() -> None:
    assert agreed((answer("class", ["A"]),), ()) == []
    assert agreed((answer("class", ["A"]),), (), (answer("class", ["B"]),)) == ["class=['B']"]


def test_what_describes_a_region_is_decided_among_the_equal_ones() -> None:
    annotations = [
        annotation(box(0, blurry=["No"], plate=["AB 1"]), day=1),
        annotation(box(1, blurry=["Yes"]), day=2),
        annotation(box(1, blurry=["No"]), day=3),
    ]
    (region,) = find_consensus(CONFIG, annotations)
    assert region.id == "Car1"
    said = {control.name: value for control, value in region.values.items()}
    # One of three has read a plate: that is not more than half.
    assert said == {"box": ["Car"], "blurry": ["No"]}


def test_order_of_annotations_in_the_file_changes_nothing() -> None:
    annotations = [
        annotation(box(0), box(50, "Bus"), answer("class", ["A"]), day=1),
        annotation(box(2), box(51, "Bus"), answer("class", ["B"]), day=2),
        annotation(box(3), box(52, "Bus"), answer("class", ["C"]), day=3),
    ]
    for order in permutations(annotations):
        found = [region.id for region in find_consensus(CONFIG, order)]
        assert found == ["Car2", "Bus51", "class=['C']"]
