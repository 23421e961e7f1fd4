"""The annotations most likely wrong, by what a model is sure of.

- "wrong class": the class of a whole task, see `shared.evaluation.label_errors.class_errors`
- "wrong label": a region or span where the model finds another label at the same place
- "missed object": what the model finds where nothing is annotated at all
- "other place": what the model finds with the same label, but with other bounds
- "unconfirmed object": a region that the model does not find, though it finds at least
  `GOOD_RECALL` of those with this label

The confidence is the score of the prediction; of unconfirmed objects half of the share that the
model finds, since models overlook things more often than people invent them. Of regions this is
what cleanlab's methods for tokens and objects come down to where a model gives one score for each
region instead of the probabilities of all labels.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.annotators.answers import is_label_tag, names_classes
from shared.evaluation.annotators.consensus import SAME_PLACE
from shared.evaluation.label_errors.class_errors import WRONG_CLASS, ClassErrors
from shared.evaluation.label_errors.issue import MAX_ISSUES, IssueRanking, LabelIssue
from shared.evaluation.metrics.metric import Outcome
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control, LabelConfig
from shared.results import ParsedRegion

if TYPE_CHECKING:
    from shared.evaluation.evaluation import TaskResult

WRONG_LABEL = "wrong label"
MISSED = "missed object"
OTHER_PLACE = "other place"
UNCONFIRMED = "unconfirmed object"
KINDS = (WRONG_CLASS, WRONG_LABEL, MISSED, OTHER_PLACE, UNCONFIRMED)

# The share of a label's regions that a model must find for its silence to mean something, and of
# how many at least.
GOOD_RECALL = 0.8
GOOD_RECALL_REGIONS = 10


class LabelErrors:
    """Collects suspicious annotations from the results of tasks as they come."""

    def __init__(self, config: LabelConfig) -> None:
        self._classes = {
            control.name: ClassErrors(control)
            for control in config.controls
            if control.answers_once and names_classes(control)
        }
        self._regions = {
            control.name: _RegionErrors(control)
            for control in config.controls
            if is_label_tag(control)
        }

    def add(self, result: "TaskResult") -> None:
        """Compare what was annotated with what was predicted of a task."""
        for classes in self._classes.values():
            classes.add(result.task.id, result.truth.regions, result.predicted)
        for name, regions in self._regions.items():
            if name in result.outcomes:
                regions.add(result.task.id, result.outcomes[name])

    def rows(self, limit: int = MAX_ISSUES) -> list[LabelIssue]:
        """Return the most suspicious annotations, at most `limit` and MAX_ISSUES."""
        ranked = IssueRanking(min(limit, MAX_ISSUES))
        seen = set()
        of_classes = [errors.issues() for errors in self._classes.values()]
        of_regions = [errors.issues() for errors in self._regions.values()]
        for issues in (*of_classes, *of_regions):
            for issue in sorted(issues, key=lambda one: -one.confidence):
                key = issue._replace(confidence=0.0)
                if key not in seen:  # of several versions
                    seen.add(key)
                    ranked.add(issue)
        return ranked.ranked()


class _RegionErrors:
    """Collects the suspicious regions of a control tag."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._scored = IssueRanking()
        self._unconfirmed: dict[str, list[LabelIssue]] = {}
        self._found: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def add(self, task: object, outcome: Outcome) -> None:
        """Add what became of a task's regions."""
        misses, inventions = list(outcome.misses), list(outcome.inventions)
        self._found.update(self._label(match.truth) for match in outcome.hits)
        self._missed.update(map(self._label, misses))
        explained = self._pair(task, misses, inventions)
        for region in inventions:
            if id(region) not in explained and region.score is not None:
                label = self._label(region)
                self._scored.add(self._issue(task, "", MISSED, region.score, label, region.id))
        for region in misses:
            kept = self._unconfirmed.setdefault(self._label(region), [])
            if id(region) not in explained and len(kept) < MAX_ISSUES:
                label = self._label(region)
                kept.append(self._issue(task, label, UNCONFIRMED, 0.0, "", region.id))

    def _pair(
        self, task: object, misses: Sequence[ParsedRegion], inventions: Sequence[ParsedRegion]
    ) -> set[int]:
        """Add predictions at the place of a miss; return the `id()` of all regions of the pairs."""
        if not misses or not inventions:
            return set()
        similar = similarity_matrix(inventions, misses)
        paired: set[int] = set()
        scores = [region.score for region in inventions]
        for predicted, true in match_by_score(similar, scores, SAME_PLACE):
            found, annotated = inventions[predicted], misses[true]
            paired |= {id(found), id(annotated)}
            if found.score is not None:
                labels = self._label(annotated), self._label(found)
                kind = OTHER_PLACE if labels[0] == labels[1] else WRONG_LABEL
                issue = self._issue(task, labels[0], kind, found.score, labels[1], annotated.id)
                self._scored.add(issue)
        return paired

    def issues(self) -> list[LabelIssue]:
        """Return the suspicious regions."""
        found = self._scored.ranked()
        for label, issues in self._unconfirmed.items():
            count = self._found[label] + self._missed[label]
            recall = self._found[label] / count
            if recall >= GOOD_RECALL and count >= GOOD_RECALL_REGIONS:
                found += [issue._replace(confidence=recall / 2) for issue in issues]
        return found

    def _issue(
        self, task: object, label: str, kind: str, score: float, suggestion: str, region: str
    ) -> LabelIssue:
        return LabelIssue(task, self._control.name, label, kind, float(score), suggestion, region)

    def _label(self, region: ParsedRegion) -> str:
        return ", ".join(labels_of(self._control, value_of(region, self._control.name)))
