"""Predicts annotated tasks now, beside the predictions that they have."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import tee
from typing import Any

from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction, TaskReader
from shared.evaluation.problems import ProblemLog
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

    def predict(self, tasks: Iterable[AnnotatedTask]) -> Iterator[AnnotatedTask]:
        """Yield the tasks with the new predictions alone; a failure is a problem of its task."""
        copies = tee(tasks, len(self._plans) + 1)
        with ExitStack() as stack:
            streams = [
                stack.enter_context(closing(self._pipeline.run(plan, map(_to_json, own))))
                for plan, own in zip(self._plans, copies[1:], strict=True)
            ]
            for task in copies[0]:
                found = deque[StoredPrediction]()
                for plan, stream in zip(self._plans, streams, strict=True):
                    prediction = self._read_outcome(task, plan, next(stream))
                    if prediction is not None:
                        found.append(prediction)
                yield replace(task, predictions=tuple(found))

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


def _to_json(task: AnnotatedTask) -> dict[str, Any]:
    return {"id": task.id, "data": task.data}
