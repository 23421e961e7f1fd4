import random
from typing import Any

import numpy as np
import pytest

from shared.media.image_size import ImageSize
from shared.results import Rectangle
from tests.evaluation.cases import Case, Said, evaluate, without_intervals

OPTIONS = "<Choice value='a'/><Choice value='b'/><Choice value='c'/>"
CHOICES = (
    "<View><Text name='t' value='$t'/>"
    f"<Choices name='c' toName='t' choice='multiple'>{OPTIONS}</Choices></View>"
)
PER_REGION = (
    "<View><Image name='t' value='$t'/><Rectangle name='box' toName='t'/>"
    f"<Choices name='c' toName='t' perRegion='true'>{OPTIONS}</Choices></View>"
)
TAXONOMY = (
    "<View><Text name='t' value='$t'/><Taxonomy name='c' toName='t'>"
    "<Choice value='A'><Choice value='B'/><Choice value='C'/></Choice></Taxonomy></View>"
)
PAIRWISE = (
    "<View><Text name='t' value='$t'/><Text name='u' value='$u'/>"
    "<Pairwise name='c' toName='t,u'/></View>"
)
DATE = "<View><Text name='t' value='$t'/><DateTime name='c' toName='t' only='date'/></View>"
SIZE = ImageSize(100, 100)


def chosen(*labels: str, score: float | None = None) -> list[Said]:
    return [Said(list(labels), score=score)] if labels else []


def single(*pairs: tuple[str, str]) -> list[Case]:
    """Return cases of single choices; an empty name is no answer."""
    return [(chosen(*filter(None, [true])), chosen(*filter(None, [got]))) for true, got in pairs]


# Right are two of six; in the last task there is nothing to compare.
SMALL = single(
    ("a", "a"), ("a", "b"), ("b", "b"), ("c", "b"), ("c", ""), ("", "a"), ("", "")
)  # fmt: skip


def test_figures_of_a_small_set() -> None:
    figures = without_intervals(evaluate(CHOICES, SMALL).figures)
    labels = figures.pop("labels")
    # F1 = 2 hits / (true + predicted): a 2 × 1 / (2 + 2), b 2 × 1 / (1 + 3), c 0 / (2 + 0).
    assert {name: one["f1"] for name, one in labels.items()} == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert labels["b"] == {
        "tasks": 3,
        "regions": {"truth": 1, "predicted": 3},
        "precision": pytest.approx(1 / 3, abs=1e-9),
        "recall": 1.0,
        "f1": 0.5,
    }
    assert figures == {
        "tasks": 6,
        "regions": {"truth": 5, "predicted": 5},
        "accuracy": pytest.approx(2 / 6, abs=1e-9),
        "macro_f1": pytest.approx(1 / 3, abs=1e-9),
        "micro_f1": pytest.approx(2 * 2 / (5 + 5), abs=1e-9),
        "confusion": {
            "": {"a": 1},
            "a": {"a": 1, "b": 1},
            "b": {"b": 1},
            "c": {"": 1, "b": 1},
        },
    }


def test_outcomes_of_a_small_set() -> None:
    outcomes = evaluate(CHOICES, SMALL).outcomes
    assert [one.score for one in outcomes] == [1, 0, 1, 0, 0, 0, None]
    counts = [(len(one.hits), len(one.misses), len(one.inventions)) for one in outcomes]
    assert counts[:2] == [(1, 0, 0), (0, 1, 1)]
    assert counts[4:] == [(0, 1, 0), (0, 0, 1), (0, 0, 0)]


def test_several_choices_are_right_only_if_all_are() -> None:
    cases: list[Case] = [
        (chosen("a", "b"), chosen("b", "a")),
        (chosen("a", "b"), chosen("a")),
        (chosen("a", "b"), chosen("a", "c")),
    ]
    evaluated = evaluate(CHOICES, cases)
    figures = evaluated.figures
    assert figures["accuracy"] == pytest.approx(1 / 3, abs=1e-9)
    # Hits a 3, b 1, c 0 of 6 true and 5 predicted ones.
    assert figures["micro_f1"] == pytest.approx(8 / 11, abs=1e-9)
    assert figures["macro_f1"] == pytest.approx((1 + 2 / 4 + 0) / 3, abs=1e-9)
    assert figures["confusion"] == {"a": {"a": 3}, "b": {"": 1, "b": 1, "c": 1}}
    scores = [one.score for one in evaluated.outcomes]
    assert scores == pytest.approx([1, 2 / 3, 1 / 2], abs=1e-9)


def test_figures_equal_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = random.Random(0)
    sets = [
        tuple({name for name in "abc" if generator.random() < share} for share in (0.5, 0.4))
        for _ in range(300)
    ]
    sets = [(true, got) for true, got in sets if true or got]
    figures = evaluate(CHOICES, [(chosen(*one), chosen(*two)) for one, two in sets]).figures
    true, got = (
        np.array([[name in side for name in "abc"] for side in sides])
        for sides in zip(*sets, strict=True)
    )
    assert figures["accuracy"] == pytest.approx(sklearn.accuracy_score(true, got), abs=1e-9)
    for average in ("micro", "macro"):
        expected = sklearn.f1_score(true, got, average=average)
        assert figures[f"{average}_f1"] == pytest.approx(expected, abs=1e-9)
    for column, name in enumerate("abc"):
        for key in ("precision", "recall"):
            function = getattr(sklearn, f"{key}_score")
            expected = function(true[:, column], got[:, column])
            assert figures["labels"][name][key] == pytest.approx(expected, abs=1e-9)


def test_confusion_equals_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = random.Random(1)
    pairs = [(generator.choice("abc"), generator.choice("abc")) for _ in range(200)]
    confusion = evaluate(CHOICES, single(*pairs)).figures["confusion"]
    true, got = zip(*pairs, strict=True)
    expected = sklearn.confusion_matrix(true, got, labels=list("abc"))
    assert [[confusion[row][column] for column in "abc"] for row in "abc"] == expected.tolist()


def test_every_figure_has_an_interval_around_it() -> None:
    cases: list[Case] = [
        (chosen("ab"[number % 2]), chosen("ab"[number % 3 % 2], score=0.7)) for number in range(90)
    ]
    figures = evaluate(CHOICES, cases).figures
    names = {"accuracy", "macro_f1", "micro_f1", "ece"}
    assert figures["interval"].keys() == names
    for name in names:
        low, high = figures["interval"][name]
        assert low < figures[name] < high or name == "ece"
        assert 0 <= low < high <= 1
    assert figures["labels"]["a"]["interval"].keys() == {"precision", "recall", "f1"}


def test_calibration_of_a_small_set() -> None:
    scored = [("a", 0.95), ("b", 0.95), ("a", 0.61), ("a", 0.65), ("b", 0.3)]
    cases: list[Case] = [(chosen("a"), chosen(label, score=score)) for label, score in scored]
    # Bins of 1/15. From 14/15: mean score 0.95, 1 of 2 right: 0.45 × 2. From 9/15 to 10/15:
    # mean 0.63, 2 of 2: 0.37 × 2. From 4/15 to 5/15: 0.3, none right: 0.3.
    expected = (0.9 + 0.74 + 0.3) / 5
    assert evaluate(CHOICES, cases).figures["ece"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("score", "hit", "expected"),
    [
        (0.0, False, 0.0),
        (1.0, True, 0.0),
        (1.0, False, 1.0),
        (1.2, True, 0.2),
        (9e15, True, 9e15 - 1),
    ],
)
def test_calibration_at_the_ends(score: float, hit: bool, expected: float) -> None:
    case = (chosen("a"), chosen("a" if hit else "b", score=score))
    assert evaluate(CHOICES, [case]).figures["ece"] == pytest.approx(expected, abs=1e-9)


def test_without_scores_there_is_no_calibration() -> None:
    evaluated = evaluate(CHOICES, SMALL)
    assert "ece" not in evaluated.figures
    assert evaluated.metric.scored() == {}


def test_scores_by_label() -> None:
    cases: list[Case] = [
        (chosen("a"), chosen("a", score=0.9)),
        (chosen("b"), chosen("a", score=0.4)),
    ]
    scored = evaluate(CHOICES, cases).metric.scored()
    assert (scored["a"].scores.tolist(), scored["a"].hits.tolist()) == ([0.9, 0.4], [True, False])
    assert (scored["a"].truths, scored["b"].truths) == (1, 1)


def test_results_of_one_choice_each_are_one_answer() -> None:
    predicted = [Said(["a"], score=0.9), Said(["b"], score=0.2)]
    evaluated = evaluate(CHOICES, [(chosen("a", "b"), predicted)])
    assert evaluated.figures["accuracy"] == 1
    assert evaluated.metric.scored()["b"].scores.tolist() == [0.2]


def test_items_of_a_list_are_compared_one_by_one() -> None:
    truth = [Said(["a"], keys={"item_index": 0}), Said(["b"], keys={"item_index": 1})]
    predicted = [Said(["b"], keys={"item_index": 1}), Said(["b"], keys={"item_index": 2})]
    figures = evaluate(CHOICES, [(truth, predicted)]).figures
    assert figures["accuracy"] == pytest.approx(1 / 3, abs=1e-9)
    assert figures["confusion"] == {"": {"b": 1}, "a": {"": 1}, "b": {"b": 1}}


def test_paths_of_a_taxonomy() -> None:
    cases: list[Case] = [
        ([Said([["A", "B"]])], [Said([["A", "B"]])]),
        ([Said([["A", "B"]])], [Said([["A"]])]),
        ([Said([["A", "B"], ["A", "C"]])], [Said([["A", "C"], ["A", "B"]])]),
    ]
    figures = evaluate(TAXONOMY, cases).figures
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-9)
    assert set(figures["labels"]) == {"A", "A/B", "A/C"}


def test_pairs() -> None:
    cases: list[Case] = [
        ([Said("left")], [Said("left")]),
        ([Said("left")], [Said("right")]),
        ([Said("right")], [Said("right")]),
    ]
    figures = evaluate(PAIRWISE, cases).figures
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-9)
    assert figures["confusion"] == {"left": {"left": 1, "right": 1}, "right": {"right": 1}}


def test_dates_have_an_accuracy_only() -> None:
    cases: list[Case] = [
        ([Said("2024-05-01")], [Said("2024-05-01", score=0.9)]),
        ([Said("2024-05-01")], [Said("2024-05-02", score=0.8)]),
        ([Said("2024-05-01")], []),
    ]
    evaluated = evaluate(DATE, cases)
    assert without_intervals(evaluated.figures) == {
        "tasks": 3,
        "regions": {"truth": 3, "predicted": 2},
        "accuracy": pytest.approx(1 / 3, abs=1e-9),
        "ece": pytest.approx((0.1 + 0.8) / 2, abs=1e-9),
    }
    assert evaluated.metric.scored() == {}


def box(x: int, label: str, score: float | None = None) -> Said:
    return Said([label], Rectangle(x, 0, 10, 10), score, SIZE)


def test_choices_of_regions_are_compared_at_the_same_place() -> None:
    # The box at 0 is found and right, that at 20 found (IoU 9/11) and wrong, that at 50 too far
    # from 57 (IoU 3/17): missed and invented.
    truth = [box(0, "a"), box(20, "b"), box(50, "c")]
    predicted = [box(57, "c"), box(21, "a"), box(0, "a")]
    evaluated = evaluate(PER_REGION, [(truth, predicted)])
    figures = evaluated.figures
    assert figures["accuracy"] == pytest.approx(1 / 4, abs=1e-9)
    assert figures["regions"] == {"truth": 3, "predicted": 3}
    assert figures["confusion"] == {"": {"c": 1}, "a": {"a": 1}, "b": {"a": 1}, "c": {"": 1}}
    (outcome,) = evaluated.outcomes
    assert [len(outcome.hits), len(outcome.misses), len(outcome.inventions)] == [1, 2, 2]


@pytest.mark.parametrize("value", [None, [], ""], ids=["null", "no choice", "empty"])
def test_empty_answers_are_none(value: Any) -> None:
    figures = evaluate(CHOICES, [([Said(value)], [Said(value)])]).figures
    assert figures == {"tasks": 0, "regions": {"truth": 0, "predicted": 0}}
