"""Regions to a prediction: ids made unique, everything checked, the score of the task."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from shared.label_studio.label_config import LabelConfig
from shared.results import Region, Result
from shared.results.validation import Finding, check_results


def _margin(scores: Sequence[float]) -> float:
    return min(abs(2 * score - 1) for score in scores)


# How a task's score comes of its regions'. Of each, a lower one is that of a task worth a look.
#
# `margin` asks how decided the least decided region is: 0 at a score of 0.5, where yes and no are
# as likely, to 1 where the model has no doubt.
TASK_SCORES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "min": min,
    "max": max,
    "margin": _margin,
}
MEAN_SCORE = "mean"


@dataclass(frozen=True)
class Prediction:
    """One prediction of a task, and what was left out of it and why.

    `faults` says what is wrong with the labels that the task itself brings.
    """

    results: tuple[Result, ...]
    score: float | None
    version: str
    dropped: tuple[Finding, ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def build(
        cls, regions: Iterable[Region], config: LabelConfig, version: str, score: str = MEAN_SCORE
    ) -> "Prediction":
        """Check the regions against the label config and keep those that will be shown.

        A region of which one result is wrong is left out whole, and then what leans on it: one
        relation to a region that is not there hides the whole prediction in the editor. `score`
        is one of `TASK_SCORES`.
        """
        kept, dropped = _without_duplicates(regions), list[Finding]()
        while True:
            results = [result for region in kept for result in region.results]
            findings = [f for f in check_results(config, results) if f.severity == "error"]
            if not findings:
                return cls(tuple(results), task_score(kept, score), version, tuple(dropped))
            owners = [number for number, region in enumerate(kept) for _ in region.results]
            wrong = {owners[f.index] for f in findings if f.index is not None}
            kept = [region for number, region in enumerate(kept) if number not in wrong]
            kept = kept if wrong else []
            dropped += findings

    def to_json(self) -> dict[str, Any]:
        """As Label Studio reads it."""
        answer: dict[str, Any] = {"result": list(self.results), "model_version": self.version}
        if self.score is not None:
            answer["score"] = self.score
        return answer


def task_score(regions: Iterable[Region], mode: str = MEAN_SCORE) -> float | None:
    """From the regions' scores, 0 to 1; None if no region has one, as where there is none."""
    scores = [region.score for region in regions if region.score is not None]
    return round(TASK_SCORES[mode](scores), 4) if scores else None


def _without_duplicates(regions: Iterable[Region]) -> list[Region]:
    """Of regions that say the same under the same id, the first; it comes of overlapping models,
    and of boxes that are equal once they end at the image's edge.
    """
    kept: dict[str, Region] = {}
    for region in regions:
        kept.setdefault(region.id, region)
    return list(kept.values())
