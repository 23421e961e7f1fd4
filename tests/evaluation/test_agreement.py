"""Agreement of annotators, by hand."""

import pytest

from shared.evaluation.annotated_task import Annotation
from shared.evaluation.annotators.agreement import Agreement, describe_agreement

from .annotations import CONFIG, annotation, answer, box, span, task


def agreement_of(*tasks: tuple[Annotation, ...]) -> Agreement:
    agreement = Agreement(CONFIG)
    for number, annotations in enumerate(tasks):
        agreement.add(task(*annotations, number=number))
    return agreement


def test_classes() -> None:
    answers = [("A", "A", "A"), ("B", "B", "A"), ("C", "C", "C")]
    tasks = [
        tuple(
            annotation(answer("class", [said]), by=name)
            for said, name in zip(row, "xyz", strict=True)
        )
        for row in answers
    ]
    found = agreement_of(*tasks).figures()["controls"]["class"]
    # 9 answers: A 4, B 2, C 3. Observed: 4 of the 6 ordered pairs of task 2 differ, by m - 1 = 2:
    # 2 / 9. Expected: 1 - (4·3 + 2·1 + 3·2) / (9·8) = 52/72. Alpha = 1 - (2/9) / (52/72) = 9/13.
    assert found == {
        "tag": "Choices",
        "tasks": 3,
        "annotations": 9,
        "agreement": pytest.approx(7 / 9),
        "alpha": pytest.approx(9 / 13),
        "pairs": {
            "x": {
                "y": {"agreement": 1.0, "tasks": 3},
                "z": {"agreement": pytest.approx(2 / 3), "tasks": 3},
            },
            "y": {"z": {"agreement": pytest.approx(2 / 3), "tasks": 3}},
        },
    }


def test_regions() -> None:
    first = (annotation(box(0), box(50), by="x"), annotation(box(1), box(80), by="y"))
    second = (annotation(box(0, "Bus"), by="x"), annotation(box(0, "Bus"), by="y"))
    third = (annotation(by="x"), annotation(by="y"))
    found = agreement_of(first, second, third).figures()["controls"]["box"]
    # Task 1: one of two and two boxes is the same, F1 = 2/4; task 2: 1; task 3: both say nothing.
    assert found["agreement"] == pytest.approx((0.5 + 1 + 1) / 3)
    # Observed 2 · 0.5 / 6. Expected over the 15 pairs of {0,50} {1,80} {Bus} {Bus} {} {}:
    # 0.5 within task 1, 0 for the two buses and for the two without, and 1 for the other 12.
    assert found["alpha"] == pytest.approx(1 - (1 / 6) / (12.5 / 15))


@pytest.mark.parametrize(
    ("control", "one", "other", "agreement"),
    [
        pytest.param("count", 3, 3.0, 1, id="equal numbers"),
        pytest.param("count", 3, 4, 0, id="numbers that differ"),
        pytest.param("classes", ["A", "B"], ["B", "A"], 1, id="order of classes is nothing"),
        pytest.param("classes", ["A", "B"], ["A"], 0, id="one class more"),
        pytest.param("summary", ["abcd"], ["abxd"], 0.75, id="one of four letters"),
    ],
)
def test_answers(control: str, one: object, other: object, agreement: float) -> None:
    both = annotation(answer(control, one), by="x"), annotation(answer(control, other), by="y")
    (row,) = (row for row in agreement_of(both).rows() if row.control == control)
    assert (row.annotator, row.other, row.tasks) == ("x", "y", 1)
    assert row.agreement == pytest.approx(agreement)


def test_alpha_of_numbers_is_that_of_intervals() -> None:
    tasks = [
        tuple(annotation(answer("count", n), by=name) for n, name in zip(row, "xy", strict=True))
        for row in [(1, 1), (5, 6)]
    ]
    # Observed: 2 · 1 / 4. Expected over the pairs of 1 1 5 6: (0 + 16 + 25 + 16 + 25 + 1) / 6.
    found = agreement_of(*tasks).figures()["controls"]["count"]
    assert found["alpha"] == pytest.approx(1 - 0.5 / (83 / 6))


def test_spans_and_what_describes_regions() -> None:
    one = annotation(span(0, 12), box(0, blurry=["Yes"], plate=["AB 1"]), by="x")
    other = annotation(span(0, 12, "Place"), box(1, blurry=["Yes"], plate=["AB 2"]), by="y")
    found = agreement_of((one, other)).figures()["controls"]
    said = {name: found[name]["agreement"] for name in ("box", "span", "blurry", "plate")}
    assert said == {"box": 1, "span": 0, "blurry": 1, "plate": 0}


def test_what_does_not_count() -> None:
    earlier = annotation(answer("class", ["A"]), by="x", day=1)
    later = annotation(answer("class", ["B"]), by="x", day=2)
    open_question = annotation(by="y", day=1)
    assert agreement_of((earlier,), (earlier, later), ()).tasks == 0, "nobody to compare with"
    agreement = agreement_of((later, earlier, open_question))
    assert agreement.tasks == 1
    figures = agreement.figures()
    assert figures["controls"]["class"] == {"tag": "Choices", "tasks": 0}
    assert "class: no cases" in describe_agreement(figures).splitlines()


def test_annotators_without_a_name_count_but_make_no_pair() -> None:
    unknown = annotation(answer("class", ["A"])), annotation(answer("class", ["A"]))
    agreement = agreement_of(unknown)
    found = agreement.figures()["controls"]["class"]
    assert found == {"tag": "Choices", "tasks": 1, "annotations": 2, "agreement": 1.0}
    assert not [row for row in agreement.rows() if row.control == "class"]
    assert "not defined: all answers are equal" in describe_agreement(agreement.figures())
