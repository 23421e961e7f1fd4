"""The contract of a metric, and what it says of one task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.results import ParsedRegion

# What stands for a label where a control tag has none.
NO_LABEL = ""


class Match(NamedTuple):
    """A predicted region and the true one that it hits, with their similarity from 0 to 1."""

    truth: ParsedRegion
    predicted: ParsedRegion
    similarity: float


@dataclass(frozen=True)
class Outcome:
    """What became of one task's regions of one control tag.

    `score` is the task's F1 or its equivalent from 0 to 1; None if there was nothing to compare.
    """

    hits: Sequence[Match] = ()
    misses: Sequence[ParsedRegion] = ()
    inventions: Sequence[ParsedRegion] = ()
    score: float | None = None


class ScoredPredictions(NamedTuple):
    """Predictions of one label by their scores, for curves and thresholds.

    `scores` and `hits` (whether each is right) have shape (n,), in any order; `truths` is the
    number of true regions of the label.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    truths: int


class Resampler(Protocol):
    """Draws cases with replacement, for intervals: see `shared.evaluation.metrics.bootstrap`."""

    def interval(
        self, cases: Any, numerators: Any, denominators: Any
    ) -> tuple[float, float] | None:
        """Return the 95 % interval of sum(numerators) / sum(denominators) over resampled cases.

        `cases` are the numbers of the cases to which the entries belong, shape (n,); the others
        have shape (n,), too. None where the denominator is always 0.
        """

    def totals(self, cases: Any, values: Any) -> NDArray[np.float64]:
        """Return the sum of values over each resample, shape (resamples,)."""

    def weights(self, cases: Any, resamples: int = ...) -> NDArray[np.uint8]:
        """Return how often each of the first resamples draws the given cases.

        `cases` has shape (n,); the weights have shape (resamples, n), by default of all resamples.
        """

    def draws(self, cases: Any) -> Iterator[NDArray[np.uint8]]:
        """Yield, for each resample, how often it draws the given cases, shape (n,)."""


class Metric(Protocol):
    """Compares the regions of one control tag, case by case, in bounded memory for each.

    Made with the control tag and its object tag. `add` gets only regions that have a value of
    this control tag.
    """

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        """Compare one case's regions; `case` counts from 0."""

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        """Return the figures by the keys of the report's JSON; those that do not apply lack."""

    def scored(self) -> Mapping[str, ScoredPredictions]:
        """Return the scored predictions of each label; empty where there are no scores."""
