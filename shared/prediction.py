"""Regions to a prediction: ids made unique, everything checked, the score of the task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.label_config import LabelConfig
from shared.results import Region, Result
from shared.validation import Finding, check_results


@dataclass(frozen=True)
class Prediction:
    """One prediction of a task, and what was left out of it and why."""

    results: tuple[Result, ...]
    score: float | None
    version: str
    dropped: tuple[Finding, ...] = ()

    @classmethod
    def build(cls, regions: Iterable[Region], config: LabelConfig, version: str) -> "Prediction":
        """Check the regions against the label config and keep those that will be shown.

        A region of which one result is wrong is left out whole.
        """
        kept = _unique(regions)
        results = [result for region in kept for result in region.results]
        findings = [f for f in check_results(config, results) if f.severity == "error"]
        if findings:
            wrong = {finding.region for finding in findings}
            kept = [region for region in kept if region.id not in wrong]
            results = [result for region in kept for result in region.results]
        return cls(tuple(results), task_score(kept), version, tuple(findings))

    def json(self) -> dict[str, Any]:
        """As Label Studio reads it."""
        answer: dict[str, Any] = {"result": list(self.results), "model_version": self.version}
        if self.score is not None:
            answer["score"] = self.score
        return answer


def task_score(regions: Sequence[Region]) -> float | None:
    """The mean of the regions' scores, 0 to 1; None if no region has one."""
    scores = [region.score for region in regions if region.score is not None]
    return round(sum(scores) / len(scores), 4) if scores else None


def _unique(regions: Iterable[Region]) -> list[Region]:
    """Regions that say the same under the same id are one; that happens when models overlap."""
    return list({region.id: region for region in regions}.values())
