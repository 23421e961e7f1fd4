import random
from typing import Any

import numpy as np
import pytest

from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.media.image_size import ImageSize
from shared.results import Rectangle
from tests.evaluation.cases import Case, Said, evaluate, without_intervals

RATING = "<View><Text name='t' value='$t'/><Rating name='c' toName='t'/></View>"
NUMBER = "<View><Text name='t' value='$t'/><Number name='c' toName='t'/></View>"
PER_REGION = (
    "<View><Image name='t' value='$t'/><Rectangle name='box' toName='t'/>"
    "<Number name='c' toName='t' perRegion='true'/></View>"
)


def cases_of(*pairs: tuple[Any, Any]) -> list[Case]:
    """Return cases of one number each; None is no answer."""
    sides = ([[] if one is None else [Said(one)] for one in pair] for pair in pairs)
    return [(true, got) for true, got in sides]


SMALL = cases_of((1, 1), (2, 3), (3, 2), (4, 4), (5, 9), (3, None), (None, 2), (None, None))


def test_figures_of_a_small_set() -> None:
    evaluated = evaluate(RATING, SMALL)
    # Errors 0, 1, 1, 0, 4. Ranks 1 2 3 4 5 and 1 3 2 4 5: Spearman 1 - 6 × 2 / (5 × 24).
    assert without_intervals(evaluated.figures) == {
        "tasks": 7,
        "regions": {"truth": 6, "predicted": 6},
        "pairs": 5,
        "mae": pytest.approx(6 / 5, abs=1e-9),
        "spearman": pytest.approx(0.9, abs=1e-9),
    }
    scores = [one.score for one in evaluated.outcomes]
    assert scores == [1, 1 / 2, 1 / 2, 1, 1 / 5, 0, 0, None]
    counts = [(len(one.hits), len(one.misses), len(one.inventions)) for one in evaluated.outcomes]
    assert counts == [(1, 0, 0), (0, 1, 1), (0, 1, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 1),
                      (0, 0, 0)]  # fmt: skip
    assert evaluated.metric.scored() == {}


@pytest.mark.parametrize("distinct", [5, 10_000], ids=["many ties", "few ties"])
def test_interval_of_spearman_is_that_of_resampled_pairs(distinct: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = random.Random(0)
    pairs = []
    for _ in range(80):
        true = generator.randrange(distinct)
        pairs.append((true, true if generator.random() < 0.5 else generator.randrange(distinct)))
    figures = evaluate(NUMBER, cases_of(*pairs)).figures
    true, got = np.array(pairs).T
    drawn = [
        stats.spearmanr(np.repeat(true, weights), np.repeat(got, weights)).statistic
        for weights in Bootstrap(80).draws(np.arange(80))
    ]
    expected = np.percentile(drawn, (2.5, 97.5))
    assert figures["interval"]["spearman"] == pytest.approx(expected, abs=1e-9)
    low, high = figures["interval"]["mae"]
    assert low < figures["mae"] < high


@pytest.mark.parametrize(
    "pairs",
    [[(1, 2)], [(3, 1), (3, 2), (3, 3)], [(1, 3), (2, 3)]],
    ids=["one pair", "truth always the same", "prediction always the same"],
)
def test_without_an_order_there_is_no_correlation(pairs: list[tuple[int, int]]) -> None:
    figures = evaluate(NUMBER, cases_of(*pairs)).figures
    assert "spearman" not in figures
    assert "mae" in figures
    assert "spearman" not in figures["interval"]


@pytest.mark.parametrize(
    ("value", "pairs"),
    [(2, 1), ("2", 1), (2.5, 1), ("two", 0), (None, 0), (float("nan"), 0), ([], 0)],
)
def test_what_is_no_number_is_no_answer(value: Any, pairs: int) -> None:
    figures = evaluate(NUMBER, cases_of((2, value))).figures
    assert figures["pairs"] == pairs
    assert figures["regions"]["predicted"] == pairs


def test_nothing_to_compare() -> None:
    empty = {"tasks": 0, "regions": {"truth": 0, "predicted": 0}, "pairs": 0}
    assert evaluate(NUMBER, []).figures == empty
    assert evaluate(NUMBER, cases_of((None, None))).figures == empty


def test_numbers_of_regions_are_compared_at_the_same_place() -> None:
    def count(x: int, number: float) -> Said:
        return Said(number, Rectangle(x, 0, 10, 10), None, ImageSize(100, 100))

    case = ([count(0, 3), count(30, 7)], [count(31, 5), count(60, 1)])
    figures = evaluate(PER_REGION, [case]).figures
    assert (figures["pairs"], figures["mae"]) == (1, 2)
    assert figures["regions"] == {"truth": 2, "predicted": 2}
