"""The truth of a task: what its annotations say, by stated rules.

- Skipped annotations (`was_cancelled`) and drafts do not count.
- If a task has annotations marked as ground truth, only those count.
- Of several annotations the choice is a setting, see `AnnotationChoice`.
- An annotation without a result is a true negative: nothing is in the task.
- A task without an annotation is unknown, and no case of any metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.evaluation.annotated_task import AnnotatedTask, Annotation
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.results import ParsedRegion


@dataclass(frozen=True)
class Truth:
    """What is true of a task, according to one annotation or to several."""

    regions: tuple[ParsedRegion, ...]
    annotations: tuple[Annotation, ...]


def read_truths(task: AnnotatedTask, choice: AnnotationChoice) -> Sequence[Truth]:
    """Return the truths of a task: none if it is unknown; several only with `all`."""
    counted = counted_annotations(task)
    if not counted:
        return ()
    if choice is AnnotationChoice.all:
        return [Truth(one.regions, (one,)) for one in counted]
    if choice is AnnotationChoice.consensus and len(counted) > 1:
        from shared.evaluation.annotators.consensus import find_consensus

        return [Truth(find_consensus(task.config, counted), counted)]
    latest = latest_annotation(counted)
    return [Truth(latest.regions, (latest,))]


def counted_annotations(task: AnnotatedTask) -> tuple[Annotation, ...]:
    """Return the annotations that count: those marked as ground truth, or else all."""
    marked = tuple(one for one in task.annotations if one.ground_truth)
    return marked or task.annotations


def latest_annotation(annotations: Sequence[Annotation]) -> Annotation:
    """Return the annotation that was updated last; of equal times the last in order."""
    places = range(len(annotations))
    return annotations[max(places, key=lambda place: (annotations[place].updated_at, place))]
