import random
from typing import Any

import pytest

from shared.evaluation.metrics.ranking_metric import kendall_tau
from tests.evaluation.cases import Case, Said, evaluate, without_intervals

PLAIN = "<View><List name='t' value='$t'/><Ranker name='c' toName='t'/></View>"
BUCKETS = (
    "<View><List name='t' value='$t'/><Ranker name='c' toName='t'>"
    "<Bucket name='good'/><Bucket name='bad'/></Ranker></View>"
)


def ranked(**buckets: str) -> list[Said]:
    return [Said({name: list(ids) for name, ids in buckets.items()})]


def test_order_of_one_list() -> None:
    cases: list[Case] = [
        (ranked(c="abcd"), ranked(c="abcd")),
        (ranked(c="abcd"), ranked(rank="badc")),
        (ranked(c="abcd"), ranked(c="dcba")),
        (ranked(c="abcd"), []),
        ([], []),
    ]
    evaluated = evaluate(PLAIN, cases)
    # Tau 1, then 2 of 6 pairs are turned: 1 - 2 × 2 / 6 = 1/3, then -1; the fourth has no order.
    # 12 of 16 items are placed.
    assert without_intervals(evaluated.figures) == {
        "tasks": 4,
        "regions": {"truth": 4, "predicted": 3},
        "tau": pytest.approx(1 / 9, abs=1e-9),
        "accuracy": pytest.approx(3 / 4, abs=1e-9),
    }
    scores = [one.score for one in evaluated.outcomes]
    assert scores[:4] == pytest.approx([1, (1 + 2 / 3) / 2, 1 / 2, 0], abs=1e-9)
    assert scores[4] is None
    counts = [(len(one.hits), len(one.misses), len(one.inventions)) for one in evaluated.outcomes]
    assert counts == [(1, 0, 0), (0, 1, 1), (0, 1, 1), (0, 1, 0), (0, 0, 0)]
    assert evaluated.metric.scored() == {}


def test_order_in_each_bucket() -> None:
    cases: list[Case] = [
        (ranked(good="abc", bad="de"), ranked(good="cab", bad="de")),
        (ranked(good="abc", bad="d"), ranked(good="ad", bad="cb")),
    ]
    figures = evaluate(BUCKETS, cases).figures
    # In "good" 2 of 3 pairs are turned: 1 - 4 / 3; "bad" is right. In the second task no bucket
    # has two items of its own, and one of four items is in the right one.
    assert figures["labels"]["good"]["tau"] == pytest.approx(-1 / 3, abs=1e-9)
    assert figures["labels"]["bad"]["tau"] == 1
    assert figures["tau"] == pytest.approx(1 / 3, abs=1e-9)
    assert figures["accuracy"] == pytest.approx(6 / 9, abs=1e-9)


def test_tau_equals_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = random.Random(0)
    for count in range(2, 40):
        items = [str(number) for number in range(count)]
        places = list(range(count))
        generator.shuffle(places)
        predicted = [items[places.index(number)] for number in range(count)]
        expected = stats.kendalltau(range(count), places).statistic
        assert kendall_tau(items, predicted) == pytest.approx(expected, abs=1e-9)


def test_long_rankings_cost_little() -> None:
    items = [str(number) for number in range(20_000)]
    assert kendall_tau(items, items[::-1]) == -1


@pytest.mark.parametrize(
    "value",
    [None, {}, {"c": []}, {"c": 5}, "a, b", ["a", "b"]],
    ids=["null", "no buckets", "no items", "no list", "a text", "a list"],
)
def test_what_is_no_ranking_is_no_answer(value: Any) -> None:
    figures = evaluate(PLAIN, [(ranked(c="ab"), [Said(value)])]).figures
    assert figures["regions"] == {"truth": 1, "predicted": 0}
    assert "tau" not in figures
    assert figures["accuracy"] == 0


def test_items_that_stand_twice_count_once() -> None:
    case = (ranked(c="aab"), ranked(c="abb"))
    figures = evaluate(PLAIN, [case]).figures
    assert (figures["tau"], figures["accuracy"]) == (1, 1)


def test_nothing_to_compare() -> None:
    assert evaluate(PLAIN, []).figures == {"tasks": 0, "regions": {"truth": 0, "predicted": 0}}


def test_every_figure_has_an_interval_around_it() -> None:
    orders = ("abcd", "abdc", "dcba")
    cases: list[Case] = [(ranked(c="abcd"), ranked(c=orders[number % 3])) for number in range(60)]
    figures = evaluate(PLAIN, cases).figures
    low, high = figures["interval"]["tau"]
    assert low < figures["tau"] < high
    assert figures["interval"]["accuracy"] == [1, 1]
