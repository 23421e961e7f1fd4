"""Predicts annotated tasks now, beside the predictions that they have."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import tee
from typing import Any

from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.evaluation.truth import counted_annotations
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runner import Pipeline


class FreshPredictions:
    """Gives each annotated task a prediction of each plan."""

    def __init__(
        self,
        pipeline: Pipeline,
        plans: Sequence[PredictionPlan],
        reader: TaskReader,
        problems: ProblemLog,
    ) -> None:
        self._pipeline = pipeline
        self._plans = plans
        self._reader = reader
        self._problems = problems

    def predict(
        self,
        tasks: Iterable[AnnotatedTask],
        is_wanted: Callable[[AnnotatedTask], Any] = counted_annotations,
    ) -> Iterator[AnnotatedTask]:
        """Yield the tasks with the new predictions alone; those that are not wanted have none.

        By default those with a truth are wanted. A failure is a problem of its task.
        """
        copies = tee(tasks, len(self._plans) + 1)
        with ExitStack() as stack:
            wanted = [_tasks_to_predict(own, is_wanted) for own in copies[1:]]
            streams = [
                stack.enter_context(closing(self._pipeline.run(plan, own)))
                for plan, own in zip(self._plans, wanted, strict=True)
            ]
            for task in copies[0]:
                outcomes = map(next, streams) if is_wanted(task) else ()
                yield replace(task, predictions=tuple(self._read_outcomes(task, outcomes)))

    def _read_outcomes(
        self, task: AnnotatedTask, outcomes: Iterable[TaskOutcome]
    ) -> Iterator[StoredPrediction]:
        for plan, outcome in zip(self._plans, outcomes, strict=False):
            prediction = self._read_outcome(task, plan, outcome)
            if prediction is not None:
                yield prediction

    def _read_outcome(
        self, task: AnnotatedTask, plan: PredictionPlan, outcome: TaskOutcome
    ) -> StoredPrediction | None:
        if outcome.prediction is None:
            self._problems.add(f"{plan.backend_names}: {outcome.error}", task.name)
            return None
        made = outcome.prediction
        for finding in made.dropped:
            self._problems.add(f"{plan.backend_names}: {finding.message}", task.name)
        where = f"the prediction of {made.version}"
        regions = self._reader.parse_results(task, made.results, where)
        return StoredPrediction(regions, made.version, None, made.score, made.results)


def _tasks_to_predict(
    tasks: Iterable[AnnotatedTask], is_wanted: Callable[[AnnotatedTask], Any]
) -> Iterator[dict[str, Any]]:
    for task in tasks:
        if is_wanted(task):
            yield {"id": task.id, "data": task.data}
