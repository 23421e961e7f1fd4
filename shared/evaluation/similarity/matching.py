"""One-to-one matching of predicted regions to true ones, highest score first."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


def match_by_score(
    similarities: NDArray[np.float64], scores: Sequence[float | None], threshold: float
) -> list[tuple[int, int]]:
    """Return pairs (predicted, true) with a similarity of at least `threshold`.

    `similarities` has shape (predicted, true). As in COCO's evaluation, predictions choose in the
    order of their scores, each the most similar true region that is left (of equal ones the last);
    without scores in their own order.
    """
    order = np.argsort([-(score or 0.0) for score in scores], kind="stable")
    taken = np.zeros(similarities.shape[1], bool)
    pairs = []
    for predicted in order:
        row: NDArray[Any] = np.where(taken, -1.0, similarities[predicted])
        if not row.size:
            break
        best = int(row.size - 1 - np.argmax(row[::-1]))
        if row[best] >= threshold:
            taken[best] = True
            pairs.append((int(predicted), best))
    return pairs


class Candidate(NamedTuple):
    """A predicted and a true region that may be matched, by their places."""

    predicted: int
    true: int
    similarity: float


def match_at_thresholds(
    candidates: Sequence[Candidate], order: Sequence[int], thresholds: Sequence[float]
) -> tuple[dict[int, Candidate], dict[int, int]]:
    """Match as `match_by_score` does, at each of ascending thresholds.

    `candidates` have a similarity of at least the first threshold, those of one predicted region
    in the order of the true ones; `order` is that of the predicted regions. Returns the matches at
    the first threshold by predicted region, and for each predicted region the thresholds at which
    it is matched, as bits: 1 for the first one.
    """
    if _are_apart(candidates):
        matches = {candidate.predicted: candidate for candidate in candidates}
        return matches, {
            place: (1 << bisect_right(thresholds, match.similarity)) - 1
            for place, match in matches.items()
        }
    choices: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        choices.setdefault(candidate.predicted, []).append(candidate)
    in_order = [choices[place] for place in order if place in choices]
    matched = [_choose(in_order, threshold) for threshold in thresholds]
    bits: dict[int, int] = {}
    for number, found in enumerate(matched):
        for place in found:
            bits[place] = bits.get(place, 0) | 1 << number
    return matched[0], bits


def _are_apart(candidates: Sequence[Candidate]) -> bool:
    """Return whether no region has more than one candidate: each is then a match."""
    count = len(candidates)
    return (
        len({candidate.predicted for candidate in candidates}) == count
        and len({candidate.true for candidate in candidates}) == count
    )


def _choose(choices: Sequence[Sequence[Candidate]], threshold: float) -> dict[int, Candidate]:
    taken: set[int] = set()
    found = {}
    for candidates in choices:
        best, least = None, threshold
        for candidate in candidates:
            if candidate.similarity >= least and candidate.true not in taken:
                best, least = candidate, candidate.similarity
        if best is not None:
            taken.add(best.true)
            found[best.predicted] = best
    return found
