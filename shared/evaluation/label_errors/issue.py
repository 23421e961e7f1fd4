"""Annotations that may be wrong, the most suspicious first."""

import heapq
from typing import Any, NamedTuple

# Issues that are kept at most.
MAX_ISSUES = 1000


class LabelIssue(NamedTuple):
    """An annotation that may be wrong.

    - `label`: what was annotated; empty for a missed object
    - `suggestion`: what the model says instead; empty if it says nothing
    - `kind`: one of the kinds of `shared.evaluation.label_errors.collector`
    - `confidence`: how sure the model is, from 0 to 1
    - `region`: the id of the annotated region, or of the predicted one for a missed object; empty
      for answers for the whole task
    """

    task: Any
    control: str
    label: str
    kind: str
    confidence: float
    suggestion: str = ""
    region: str = ""


class IssueRanking:
    """Keeps the most suspicious; of equally suspicious ones the first."""

    def __init__(self, size: int = MAX_ISSUES) -> None:
        self._size = size
        self._added = 0
        self._heap: list[tuple[float, int, LabelIssue]] = []

    def add(self, issue: LabelIssue) -> None:
        """Add an issue; one that nobody will see is dropped."""
        self._added += 1
        entry = (issue.confidence, -self._added, issue)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def ranked(self) -> list[LabelIssue]:
        """Return the issues, the most suspicious first."""
        return [issue for _, _, issue in sorted(self._heap, key=lambda e: e[:2], reverse=True)]
