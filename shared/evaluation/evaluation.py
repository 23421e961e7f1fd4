"""Evaluates the predictions of all model versions against the truth, task by task."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.metrics.choose import create_metric
from shared.evaluation.metrics.metric import Metric, Outcome
from shared.evaluation.problems import ProblemLog
from shared.evaluation.truth import Truth, read_truths
from shared.label_studio.label_config import LabelConfig
from shared.results import ParsedRegion

# Tasks of each version that the report draws.
WORST_TASKS = 20


@dataclass(frozen=True)
class TaskResult:
    """What became of one version's prediction of a task, by control tag.

    `score` is the mean of the control tags' scores, 0 to 1; None if there was nothing to compare.
    """

    version: str
    task: AnnotatedTask
    truth: Truth
    predicted: tuple[ParsedRegion, ...]
    outcomes: Mapping[str, Outcome]
    score: float | None

    @property
    def misses(self) -> int:
        """The number of true regions that the prediction lacks."""
        return sum(len(outcome.misses) for outcome in self.outcomes.values())

    @property
    def inventions(self) -> int:
        """The number of predicted regions that are not true."""
        return sum(len(outcome.inventions) for outcome in self.outcomes.values())


@dataclass
class VersionEvaluation:
    """One model version's metrics, by the names of the control tags."""

    version: str
    metrics: Mapping[str, Metric]
    tasks: int = 0
    _worst: list[tuple[float, int, TaskResult]] = field(default_factory=list)

    def add(self, task: AnnotatedTask, truths: Sequence[Truth]) -> list[TaskResult]:
        """Compare the version's prediction of a task with its truths; no result without one."""
        prediction = task.prediction_of(self.version)
        if prediction is None:
            return []
        case = self.tasks
        self.tasks += 1
        return [self._compare(case, task, truth, prediction.regions) for truth in truths]

    def _compare(
        self, case: int, task: AnnotatedTask, truth: Truth, predicted: tuple[ParsedRegion, ...]
    ) -> TaskResult:
        true_by_name, predicted_by_name = _by_control(truth.regions), _by_control(predicted)
        outcomes = {
            name: metric.add(case, true_by_name.get(name, ()), predicted_by_name.get(name, ()))
            for name, metric in self.metrics.items()
        }
        scores = [o.score for o in outcomes.values() if o.score is not None]
        score = fmean(scores) if scores else None
        result = TaskResult(self.version, task, truth, predicted, outcomes, score)
        self._keep_worst(result, case)
        return result

    def _keep_worst(self, result: TaskResult, case: int) -> None:
        if result.score is None or result.score >= 1:
            return
        entry = (-result.score, -case, result)
        if len(self._worst) < WORST_TASKS:
            heapq.heappush(self._worst, entry)
        elif entry[:2] > self._worst[0][:2]:
            heapq.heapreplace(self._worst, entry)

    def worst_tasks(self) -> list[TaskResult]:
        """Return the tasks with the lowest scores below 1, the lowest first."""
        return [result for _, _, result in sorted(self._worst, key=lambda e: e[:2], reverse=True)]


class Evaluation:
    """Evaluates tasks as they come, in memory that does not hold them.

    `versions` are those to evaluate, by default all that occur. Each `observer` gets every
    `TaskResult`, and `problems` what could not be compared.
    """

    def __init__(
        self,
        config: LabelConfig,
        choice: AnnotationChoice = AnnotationChoice.latest,
        versions: Sequence[str] = (),
        observers: Iterable[Callable[[TaskResult], None]] = (),
        problems: ProblemLog | None = None,
    ) -> None:
        self.problems = ProblemLog() if problems is None else problems
        self.stored_versions: dict[str, None] = {}
        self.versions: dict[str, VersionEvaluation] = {}
        self.read_tasks = self.annotated_tasks = 0
        self._config = config
        self._choice = choice
        self._wanted = tuple(versions)
        self._observers = tuple(observers)
        for version in versions:
            self._version(version)

    def add(self, task: AnnotatedTask) -> list[TaskResult]:
        """Compare a task's predictions with its truth; return what became of each version's.

        There are none for a task without truth, and several of a version with all annotations.
        """
        self.read_tasks += 1
        truths = read_truths(task, self._choice)
        if not truths:
            return []
        self.annotated_tasks += 1
        stored = dict.fromkeys(one.version for one in task.predictions)
        self.stored_versions |= stored
        versions = self._wanted or stored
        results = [
            result for version in versions for result in self._version(version).add(task, truths)
        ]
        for result in results:
            for observe in self._observers:
                observe(result)
        return results

    def report(self) -> dict[str, Any]:
        """Return all figures as the report's JSON; those of no cases are left out."""
        return {
            "tasks": {"read": self.read_tasks, "annotated": self.annotated_tasks},
            "annotations": self._choice.value,
            "versions": {
                name: self._report_version(version) for name, version in self.versions.items()
            },
        }

    def _report_version(self, version: VersionEvaluation) -> dict[str, Any]:
        resampler = Bootstrap(version.tasks)
        return {
            "tasks": version.tasks,
            "controls": {
                name: {"tag": self._tag(name), **metric.figures(resampler)}
                for name, metric in version.metrics.items()
            },
        }

    def _tag(self, name: str) -> str:
        control = self._config.find_control(name)
        return control.tag if control else ""

    def _version(self, name: str) -> VersionEvaluation:
        if name not in self.versions:
            self.versions[name] = VersionEvaluation(
                name, create_metrics(self._config, self.problems)
            )
        return self.versions[name]


def create_metrics(config: LabelConfig, problems: ProblemLog) -> dict[str, Metric]:
    """Return a metric for each control tag, by its name."""
    return {
        control.name: create_metric(control, config.object_of(control), problems)
        for control in config.controls
    }


def _by_control(regions: Iterable[ParsedRegion]) -> dict[str, list[ParsedRegion]]:
    by_name: dict[str, list[ParsedRegion]] = {}
    for region in regions:
        for control in region.values:
            by_name.setdefault(control.name, []).append(region)
    return by_name
