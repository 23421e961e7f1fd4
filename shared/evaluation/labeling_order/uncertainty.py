"""Least sure first: by the margin of the stored predictions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction
from shared.evaluation.labeling_order.strategy import RankedTask, number_ranks
from shared.evaluation.problems import ProblemLog
from shared.pipeline.prediction import TASK_SCORES

# What is known of a task, in the order in which they come.
REGION_SCORES, TASK_SCORE, NO_SCORE, NO_PREDICTION = range(4)
MESSAGES = {
    TASK_SCORE: "predictions have no scores of regions: their tasks come after those that have,"
    " those with the lowest score of the whole prediction first",
    NO_SCORE: "predictions have no score, or found nothing: nothing tells how sure they are, and"
    " their tasks come after those with scores",
    NO_PREDICTION: "tasks have no prediction: they come last",
}

OUT_OF_RANGE = "scores are not from 0 to 1, and do not tell how sure the model is: they are ignored"


class _Uncertainty(NamedTuple):
    """What is known of a task, and how sure the model is of it: 0 is not at all."""

    known: int
    score: float
    number: int
    id: Any


class UncertaintyStrategy:
    """Ranks tasks by the margin of their last prediction.

    The margin is that of the region of which the model is least sure: 0 at a score of 0.5, 1 at
    scores of 0 and 1 (see `shared.pipeline.prediction`). Tasks of which no region has a score come
    after those, by the rule of `MESSAGES`, and `problems` says so. Of equal ones the first in the
    input comes first.
    """

    def __init__(self, problems: ProblemLog, versions: Sequence[str] = ()) -> None:
        self._problems = problems
        self._versions = tuple(versions)
        self._found: list[_Uncertainty] = []

    def add(self, task: AnnotatedTask) -> None:
        """Look at a task."""
        if task.annotations:
            return
        prediction = self._prediction_of(task)
        known, score = _how_sure(prediction)
        self._found.append(_Uncertainty(known, score, task.number, task.id))
        if known in MESSAGES:
            self._problems.add(MESSAGES[known], task.name)
        if prediction is not None and not all(map(_is_probability, _scores_of(prediction))):
            self._problems.add(OUT_OF_RANGE, task.name)

    def _prediction_of(self, task: AnnotatedTask) -> StoredPrediction | None:
        wanted = [
            one for one in task.predictions if not self._versions or one.version in self._versions
        ]
        return wanted[-1] if wanted else None

    def rank(self) -> list[RankedTask]:
        """Return the tasks, those with the smallest margin first."""
        if all(one.known == NO_PREDICTION for one in self._found):
            of = f" of version {self._versions[0]!r}" if self._versions else ""
            raise SettingError(
                f"no task without annotation has a prediction{of}: store some with `prelabel"
                " predict --project N --push`, or predict now with --backend"
            )
        return number_ranks(
            (one.id, one.number, one.score if one.known < NO_SCORE else None)
            for one in sorted(self._found, key=lambda one: one[:3])
        )


def _how_sure(prediction: StoredPrediction | None) -> tuple[int, float]:
    """Return what is known of a prediction, and how sure it is."""
    if prediction is None:
        return NO_PREDICTION, 0.0
    scores = [score for score in _scores_of(prediction) if _is_probability(score)]
    if scores:
        return REGION_SCORES, TASK_SCORES["margin"](scores)
    if prediction.regions and prediction.score is not None:
        return TASK_SCORE, prediction.score
    return NO_SCORE, 0.0


def _scores_of(prediction: StoredPrediction) -> list[float]:
    return [region.score for region in prediction.regions if region.score is not None]


def _is_probability(score: float) -> bool:
    return 0 <= score <= 1
