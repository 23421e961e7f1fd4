"""Matching, one to one: as COCO matches, whatever the order of the regions."""

import numpy as np
import pytest

from shared.evaluation.metrics.average_precision import THRESHOLDS
from shared.evaluation.similarity.matching import Candidate, match_at_thresholds, match_by_score

# Similarities, scores, and the pairs (predicted, true) at a threshold of 0.5.
CASES = {
    "nothing": (np.zeros((0, 0)), [], []),
    "nothing true": (np.zeros((2, 0)), [0.9, 0.8], []),
    "nothing predicted": (np.zeros((0, 2)), [], []),
    "too little alike": ([[0.49]], [0.9], []),
    "alike by the threshold exactly": ([[0.5]], [0.9], [(0, 0)]),
    "the highest score chooses first": ([[0.6], [0.9]], [0.9, 0.8], [(0, 0)]),
    "equal scores choose in their order": ([[0.6], [0.9]], [0.8, 0.8], [(0, 0)]),
    "without scores in their order": ([[0.6], [0.9]], [None, None], [(0, 0)]),
    "one without a score comes last": ([[0.6], [0.9]], [None, 0.1], [(1, 0)]),
    "the most similar is taken": ([[0.6, 0.7]], [0.9], [(0, 1)]),
    "of equal ones the last": ([[0.7, 0.7]], [0.9], [(0, 1)]),
    "what is left": ([[0.7, 0.8], [0.6, 0.9]], [0.9, 0.8], [(0, 1), (1, 0)]),
    "nothing is left": ([[0.4, 0.8], [0.4, 0.9]], [0.9, 0.8], [(0, 1)]),
}


@pytest.mark.parametrize(("similarities", "scores", "expected"), CASES.values(), ids=CASES)
def test_pairs(similarities, scores, expected):
    matrix = np.asarray(similarities, np.float64)
    assert match_by_score(matrix, scores, 0.5) == expected
    matches, bits = match_at(matrix, scores)
    assert [(one.predicted, one.true) for one in matches.values()] == expected
    assert [place for place, of_place in bits.items() if of_place & 1] == [p for p, _ in expected]


@pytest.mark.parametrize("seed", range(30))
def test_all_thresholds_at_once_are_each_on_its_own(seed):
    generator = np.random.default_rng(seed)
    # whole twentieths: ties, and similarities that are thresholds
    matrix = generator.integers(0, 21, generator.integers(1, 8, 2)) / 20
    if seed % 3 == 0:
        matrix *= generator.random(matrix.shape) < 0.2
    scores = (generator.integers(0, 4, len(matrix)) / 4).tolist()
    matches, bits = match_at(matrix, scores)
    for number, threshold in enumerate(THRESHOLDS.tolist()):
        found = {place for place, _ in match_by_score(matrix, scores, threshold)}
        assert {place for place, of_place in bits.items() if of_place >> number & 1} == found
    assert [(one.predicted, one.true) for one in matches.values()] == sorted(
        match_by_score(matrix, scores, 0.5), key=lambda pair: list(matches).index(pair[0])
    )


def match_at(matrix, scores):
    order = sorted(range(len(scores)), key=lambda place: -(scores[place] or 0))
    candidates = [
        Candidate(int(row), int(column), float(matrix[row, column]))
        for row, column in zip(*np.nonzero(matrix >= 0.5), strict=True)
    ]
    return match_at_thresholds(candidates, order, THRESHOLDS.tolist())
