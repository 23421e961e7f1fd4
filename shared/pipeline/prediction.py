"""The prediction of a task: its regions, checked against the label config, and its score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from shared.errors import PrelabelError
from shared.label_studio.label_config import LabelConfig
from shared.results import UNFINISHED, Omission, Region, Result
from shared.results.validation import Finding, check_results


def _margin(scores: Sequence[float]) -> float:
    return min(abs(2 * score - 1) for score in scores)


# How a task's score is made from its regions' scores. A low one marks a task that is worth a look.
# `margin` is that of the least decided region: 0 at a score of 0.5, where yes and no are equally
# likely, and 1 where the model has no doubt.
TASK_SCORES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "min": min,
    "max": max,
    "margin": _margin,
}
MEAN_SCORE = "mean"


@dataclass(frozen=True)
class Prediction:
    """One prediction of a task.

    `dropped` are the findings for which regions were left out; `faults` are what is wrong with
    the labels that the task itself brings.
    """

    results: tuple[Result, ...]
    score: float | None
    version: str
    dropped: tuple[Finding, ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        regions: Iterable[Region],
        config: LabelConfig,
        version: str,
        score_mode: str = MEAN_SCORE,
        min_score: float = 0.0,
    ) -> "Prediction":
        """Check regions against the label config, and keep those that the editor will show.

        A region with one wrong result is dropped whole. Checks are repeated, because results may
        refer to it: one relation to a missing region hides the whole prediction in the editor.
        `score_mode` is one of `TASK_SCORES`; regions below `min_score` are not wanted.
        """
        unique = _without_duplicates(regions)
        valid, dropped = _above(unique, min_score) if min_score else unique, list[Finding]()
        while True:
            results = [result for region in valid for result in region.results]
            findings = [f for f in check_results(config, results) if f.severity == "error"]
            if not findings:
                score = task_score(valid, score_mode)
                return cls(tuple(results), score, version, tuple(dropped))
            owners = [number for number, region in enumerate(valid) for _ in region.results]
            wrong = {owners[f.index] for f in findings if f.index is not None}
            valid = [r for number, r in enumerate(valid) if wrong and number not in wrong]
            dropped += findings

    def with_omissions(self, omissions: Iterable[Omission]) -> "Prediction":
        """Return it with what the model answered and no region holds among `dropped`."""
        findings = (Finding(omission.rule, None, None, omission.message) for omission in omissions)
        return replace(self, dropped=(*self.dropped, *findings))

    def to_json(self) -> dict[str, Any]:
        """Return it as Label Studio reads it."""
        json: dict[str, Any] = {"result": list(self.results), "model_version": self.version}
        if self.score is not None:
            json["score"] = self.score
        return json


@dataclass(frozen=True)
class TaskOutcome:
    """What a task ended in: a prediction or an error."""

    prediction: Prediction | None = None
    error: PrelabelError | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether there was no time for all of it."""
        found = self.prediction
        return found is not None and any(one.rule == UNFINISHED for one in found.dropped)

    def to_response(self, interactive: bool = False) -> dict[str, Any] | list[Any]:
        """Return what `/predict` answers: `[]` makes Label Studio ask again later.

        In interactive mode the editor needs an object in any case.
        """
        if self.prediction is not None:
            return self.prediction.to_json()
        return {"result": []} if interactive else []


def task_score(regions: Iterable[Region], mode: str = MEAN_SCORE) -> float | None:
    """Return the task's score, 0 to 1; None if no region has one."""
    scores = [region.score for region in regions if region.score is not None]
    return round(TASK_SCORES[mode](scores), 4) if scores else None


def _without_duplicates(regions: Iterable[Region]) -> list[Region]:
    """Return the first region of each id.

    Equal ones come from models that overlap, and from boxes that are equal once they are cut off
    at the image's edge.
    """
    first: dict[str, Region] = {}
    for region in regions:
        first.setdefault(region.id, region)
    return list(first.values())


def _above(regions: Iterable[Region], min_score: float) -> list[Region]:
    """Return the regions that have no lower score, without what belongs to the others.

    Those are the relations to them, and the regions within them.
    """
    regions = list(regions)
    low = {r.id for r in regions if r.score is not None and r.score < min_score}
    while gone := {r.id for r in regions if r.id in low or _owners(r) & low}:
        regions = [region for region in regions if region.id not in gone]
        low |= gone
    return regions


def _owners(region: Region) -> set[str]:
    """Return the ids of the regions without which a region makes no sense."""
    keys = ("parentID", "from_id", "to_id")
    return {result[key] for result in region.results for key in keys if result.get(key)}
